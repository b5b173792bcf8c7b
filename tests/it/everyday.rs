//! Where secrets stand in everyday images: settings of package managers, histories of shells, manifests of clusters, compiled programs. Each case holds
//! one secret made up for it, which is found once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use layersift::random::Random;

use crate::archives::gzip;
use crate::support::*;

/// What the secret of a case is like.
#[derive(Clone, Copy)]
enum Like {
    /// A token that is known wherever it stands.
    Token,
    /// A password that only what stands round it gives away.
    Password,
}

type Make = fn(&str) -> Vec<u8>;

fn text(template: &str, secret: &str) -> Vec<u8> {
    template.replace("SECRET", secret).into_bytes()
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn password(seed: &str) -> String {
    let mut random = Random::from_text(seed);
    random.text(b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789", 18)
}

#[track_caller]
fn check(cases: &[(&str, Like, Make)]) {
    let temp = Temp::new();
    let mut missed = Vec::new();
    for (path, like, make) in cases {
        let secret = match like {
            Like::Token => token(path),
            Like::Password => password(path),
        };
        temp.file(&format!("root/{path}"), make(&secret));
        let scan = scan(&temp.path("root"));
        let count = scan
            .findings
            .iter()
            .filter(|finding| finding.secret.expose().ends_with(secret.as_bytes()) && finding.suppressed.is_none())
            .count();
        if (count, scan.findings.len()) != (1, 1) || !reasons(&scan).is_empty() {
            let found = scan.findings.iter().map(|finding| (finding.rule.id.clone(), finding.secret.expose().escape_ascii().to_string()));
            missed.push(format!("{path}: {secret}: {:?} {:?}", found.collect::<Vec<_>>(), reasons(&scan)));
        }
        std::fs::remove_file(temp.path(&format!("root/{path}"))).unwrap();
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn settings_of_package_managers() {
    check(&[
        ("root/.pip/pip.conf", Like::Password, |s| text("[global]\nindex-url = https://ci:SECRET@pypi.example.org/simple\n", s)),
        ("root/.pypirc", Like::Password, |s| {
            text("[pypi]\nrepository = https://upload.example.org\nusername = ci\npassword = SECRET\n", s)
        }),
        ("root/.npmrc", Like::Password, |s| text("registry=https://npm.example.org/\n//npm.example.org/:_authToken=SECRET\n", s)),
        ("srv/.npmrc", Like::Password, |s| {
            format!("//npm.example.org/:username=ci\n//npm.example.org/:_password={}\n", base64(s)).into_bytes()
        }),
        ("root/.condarc", Like::Password, |s| text("channels:\n  - https://ci:SECRET@conda.example.org/main\n", s)),
        ("root/.composer/auth.json", Like::Password, |s| {
            text("{\"http-basic\": {\"repo.example.org\": {\"username\": \"ci\", \"password\": \"SECRET\"}}}\n", s)
        }),
        ("srv/auth.json", Like::Token, |s| text("{\"github-oauth\": {\"github.com\": \"SECRET\"}}", s)),
        ("root/.m2/settings.xml", Like::Password, |s| {
            text(
                "<settings><servers><server><id>x</id><username>ci</username>\n<password>SECRET</password></server></servers></settings>",
                s,
            )
        }),
        ("root/.gradle/gradle.properties", Like::Password, |s| text("org.gradle.daemon=false\nnexusPassword=SECRET\n", s)),
        ("root/.nuget/NuGet.Config", Like::Password, |s| {
            text(
                "<packageSourceCredentials><x>\n<add key=\"Username\" value=\"ci\" />\n<add key=\"ClearTextPassword\" value=\"SECRET\" />\n</x>",
                s,
            )
        }),
        ("root/.cargo/credentials.toml", Like::Password, |s| text("[registries.own]\ntoken = \"SECRET\"\n", s)),
        ("root/.netrc", Like::Password, |s| text("machine example.org login ci password SECRET\n", s)),
        ("root/.docker/config.json", Like::Password, |s| {
            format!("{{\"auths\": {{\"registry.example.org\": {{\"auth\": \"{}\"}}}}}}", base64(format!("ci:{s}"))).into_bytes()
        }),
    ]);
}

#[test]
fn histories_of_shells_and_clients() {
    check(&[
        ("root/.bash_history", Like::Password, |s| text("ls\nexport DB_PASSWORD=SECRET\nmysql -u root\n", s)),
        // Bytes beyond ASCII are written in two.
        ("root/.zsh_history", Like::Token, |s| {
            [&b": 1600000000:0;echo gr\xc3\x83\x9c\xc3\x83\xbfe && curl -H 'x: "[..], s.as_bytes(), b"' example.org\n"].concat()
        }),
        ("root/.local/share/fish/fish_history", Like::Password, |s| {
            text("- cmd: set -x API_TOKEN SECRET\n  when: 1600000000\n- cmd: export APP_PASSWORD=SECRET\n  when: 1\n", s)
        }),
        ("root/.python_history", Like::Password, |s| text("import x\nclient = x.Client(user='ci', password='SECRET')\n", s)),
        ("root/.node_repl_history", Like::Password, |s| text("const db = connect({ user: 'ci', password: 'SECRET' })\n", s)),
        ("root/.psql_history", Like::Token, |s| text("_HiStOrY_V2_\nINSERT\\040INTO\\040keys\\040VALUES\\040('SECRET');\n", s)),
        ("root/.mysql_history", Like::Password, |s| text("_HiStOrY_V2_\nSET\\040@db_password\\040=\\040'SECRET';\n", s)),
    ]);
}

#[test]
fn manifests_of_clusters_and_clouds() {
    check(&[
        ("srv/secret.yaml", Like::Password, |s| format!("kind: Secret\ndata:\n  db-password: {}\n", base64(format!("{s}\n"))).into_bytes()),
        ("srv/plain.yaml", Like::Password, |s| text("kind: Secret\nstringData:\n  password: |\n    SECRET\n  user: ci\n", s)),
        ("srv/release", Like::Token, |s| {
            let release =
                format!("{{\"name\":\"x\",\"config\":{{\"token\":\"{s}\"}},\"manifest\":\"{}\"}}", "kind: Deployment ".repeat(40));
            format!("data:\n  release: {}\n", base64(base64(gzip(release.as_bytes())))).into_bytes()
        }),
        ("var/lib/cloud/instance/user-data.txt", Like::Password, |s| {
            text("#cloud-config\nchpasswd:\n  list: |\n     root:x\nmysql_password: SECRET\n", s)
        }),
        ("var/lib/cloud/instance/cloud-config.txt", Like::Token, |s| {
            let content = format!("# settings\n{}\ntoken = {s}\n", "x = 1\n".repeat(30));
            format!("write_files:\n- path: /etc/x\n  encoding: gz+b64\n  content: {}\n", base64(gzip(content.as_bytes()))).into_bytes()
        }),
        ("srv/letter.eml", Like::Password, |s| {
            text("Content-Transfer-Encoding: quoted-printable\n\nSet DB_PASSWORD=3DSECRET now, and TTL=3D60.\n", s)
        }),
        ("srv/page.html", Like::Password, |s| {
            text("<div data-config=\"{&quot;user&quot;:&quot;ci&quot;,&quot;password&quot;:&quot;SECRET&quot;}\"></div>", s)
        }),
        ("srv/app.properties", Like::Token, |s| format!("a = b\ntoken = {}\\\n    {}\n", &s[..20], &s[20..]).into_bytes()),
        ("srv/app.php", Like::Token, |s| format!("<?php\n$token = '{}' . '{}';\n", &s[..20], &s[20..]).into_bytes()),
        ("srv/app.lua", Like::Token, |s| format!("local token = \"{}\" .. \"{}\"\n", &s[..20], &s[20..]).into_bytes()),
        ("srv/app.py", Like::Token, |s| format!("TOKEN = (\"{}\"\n         \"{}\")\n", &s[..20], &s[20..]).into_bytes()),
        ("srv/app.vb", Like::Token, |s| format!("Dim token = \"{}\" & _\n  \"{}\" & \"{}\"\n", "x", &s[..20], &s[20..]).into_bytes()),
        ("srv/app.sql", Like::Token, |s| format!("UPDATE t SET token = '{}' || '{}';\n", &s[..20], &s[20..]).into_bytes()),
    ]);
}

#[test]
fn compiled_programs() {
    check(&[
        // User strings of .NET: a length, UTF-16, and a flag.
        ("srv/app.dll", Like::Token, |s| {
            let strings = ["first of them", s, "next one"].map(|text| [vec![(text.len() * 2 + 1) as u8], wide(text), vec![0]].concat());
            [b"MZ\x90\0".to_vec(), vec![0; 60], strings.concat()].concat()
        }),
        // Literals of Go and Rust stand side by side.
        ("srv/app", Like::Token, |s| {
            [b"\x7fELF\x02\x01\x01\0".to_vec(), vec![1; 80], format!("invalid argument: {s}\x00runtime error").into_bytes()].concat()
        }),
        ("srv/app.wasm", Like::Token, |s| {
            [&b"\0asm\x01\0\0\0\x0b"[..], &[s.len() as u8 + 6, 1, 0, 0x41, 0x80, 0x08, 0x0b, s.len() as u8], s.as_bytes(), b"\0\0\x07"]
                .concat()
        }),
        ("var/core", Like::Token, |s| [&[7; 400][..], format!("HOME=/root\0API_TOKEN={s}\0TERM=x\0").as_bytes(), &[0; 100]].concat()),
    ]);
    // Compiled Python of each version, whose marks of strings are letters.
    for magic in [0x0d55u16, 0x0d61, 0x0d6f, 0x0da7, 0x0dcb, 0x0df3] {
        for mark in [b'z', 0xda, b'Z', 0xfa] {
            let secret = token(&format!("{magic} {mark}"));
            let code =
                [&magic.to_le_bytes()[..], b"\r\n", &[0; 12], &[0xe3; 20], &[mark, secret.len() as u8], secret.as_bytes(), b"z\x05token"]
                    .concat();
            let temp = Temp::new();
            temp.file("root/m.pyc", code);
            only(&scan(&temp.path("root")), &secret);
        }
    }
}
