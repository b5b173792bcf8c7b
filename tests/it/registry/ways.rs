//! The ways to a registry: TLS, proxies, and redirects that lead where nobody asked them to.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::certificates::Authority;
use super::proxy::Proxy;
use super::*;

/// A host of everybody's, as far as its address goes; nobody has it.
const PUBLIC: &str = "198.51.100.7";
const PASSWORD: &str = "proxy-password-3";

/// The scan of the image at `host`, with the authority trusted and these variables.
fn scan_at(host: &str, authority: &Authority, variables: &[(&str, &str)], more: &[&str]) -> Run {
    let home = Temp::new();
    let ca = home.file("ca.pem", authority.pem());
    let mut command = scan_by(&home);
    command.args([&format!("registry:{host}/team/app:1"), "--fail-on", "never", "--format", "json", "--ca-file"]).arg(ca).args(more);
    Run::new(command.envs(variables.iter().copied()).output().unwrap())
}

fn findings(run: &Run) -> usize {
    valid(&run.stdout)["findings"].as_array().unwrap().len()
}

#[test]
fn a_certificate_that_proves_nothing_is_said_with_what_to_do() {
    let [known, unknown, impostor] = ["known", "unknown", "known"].map(Authority::new);
    let start = |config| Server::start_tls(config, shelf(), |_, reply| reply);
    let good = start(known.server("127.0.0.1"));
    let run = scan_at(&good.address, &known, &[], &[]);
    assert_eq!((run.code, findings(&run), run.stderr.as_str()), (0, 2, ""));
    let table = [
        (unknown.server("127.0.0.1"), "its certificate is not trusted: it was issued by an unknown authority"),
        (impostor.server("127.0.0.1"), "its certificate is not trusted: it was signed by another authority than it names"),
        (known.expired_server("127.0.0.1"), "its certificate is not trusted: it has expired"),
        (known.server("registry.example"), "its certificate is not trusted: it is for another host"),
    ];
    for (config, message) in table {
        let server = start(config);
        // Plain HTTP in the place of a certificate that cannot be trusted would be no better.
        for more in [&[][..], &["--insecure"]] {
            let run = scan_at(&server.address, &known, &[], more);
            assert!(run.code == 2 && run.stderr.contains(message) && run.stderr.contains("hint: "), "{message}: {}", run.stderr);
            assert_eq!(valid(&run.stdout)["coverage"]["skipped"][0]["reason"], "unreadable");
            assert!(server.requests().is_empty());
        }
    }
}

#[test]
fn a_redirect_from_https_to_plain_http_is_refused() {
    let authority = Authority::new("ours");
    let storage = server(|_, reply| reply);
    let base = storage.url("");
    let second = shelf().layers()[1].to_string();
    let server = Server::start_tls(authority.server("127.0.0.1"), shelf(), move |request, reply| {
        if request.path.contains(&second) { Reply::to(&format!("{base}{}", request.path)) } else { reply }
    });
    for more in [&[][..], &["--insecure", "--allow-internal-hosts"]] {
        let run = scan_at(&server.address, &authority, &[], more);
        assert_eq!((run.code, findings(&run)), (3, 1), "{}", run.stderr);
        let skipped = &valid(&run.stdout)["coverage"]["skipped"];
        assert_eq!(skipped[0]["reason"], "unreadable");
        assert!(skipped.to_string().contains("it refers to 127.0.0.1, which was not asked: the way there is plain HTTP"), "{skipped}");
        assert!(storage.requests().is_empty());
    }
}

#[test]
fn registries_are_read_through_a_proxy_and_this_machine_is_not() {
    let authority = Authority::new("ours");
    let sealed = Server::start_tls(authority.server(PUBLIC), shelf(), |_, reply| reply);
    let open = server(|_, reply| reply);
    let hosts = [(&*format!("{PUBLIC}:443"), &*sealed.address), (&*format!("{PUBLIC}:5000"), &*open.address)];
    let proxy = Proxy::start(&hosts, None);
    let address = format!("http://{}", proxy.address);
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"] {
        let run = scan_at(PUBLIC, &authority, &[(name, &address)], &[]);
        assert_eq!((run.code, findings(&run), run.stderr.as_str()), (0, 2, ""), "{name}");
    }
    assert!(proxy.targets().iter().all(|target| *target == format!("{PUBLIC}:443")) && !sealed.requests().is_empty());

    // What speaks plain HTTP only is read so only if the user says so.
    let variables = [("HTTP_PROXY", address.as_str())];
    let plain = format!("{PUBLIC}:5000");
    let run = scan_at(&plain, &authority, &variables, &[]);
    assert!(run.code == 2 && run.stderr.contains("it does not speak HTTPS") && run.stderr.contains("--insecure"), "{}", run.stderr);
    let run = scan_at(&plain, &authority, &variables, &["--insecure"]);
    assert_eq!((run.code, findings(&run)), (0, 2), "{}", run.stderr);
    assert!(run.stderr.contains("read over plain HTTP"), "{}", run.stderr);

    // This machine, and what NO_PROXY names, is not asked for there.
    let before = proxy.heads().len();
    assert_eq!(scan_at(&open.address, &authority, &variables, &[]).code, 0);
    assert_eq!(proxy.heads().len(), before);
    // Elsewhere nobody answers there.
    if cfg!(unix) {
        let unspecified = open.address.replace("127.0.0.1", "0.0.0.0");
        let with_exception = [variables[0], ("NO_PROXY", "other.example,0.0.0.0")];
        assert_eq!(scan_at(&unspecified, &authority, &with_exception, &["--insecure"]).code, 0);
        assert_eq!(proxy.heads().len(), before);
        assert_eq!(scan_at(&unspecified, &authority, &variables, &["--insecure"]).code, 2, "the proxy knows no such host");
        assert!(proxy.heads().len() > before);
    }
}

#[test]
fn a_proxy_that_does_not_help_is_said_and_its_password_is_not() {
    let authority = Authority::new("ours");
    let sealed = Server::start_tls(authority.server(PUBLIC), shelf(), |_, reply| reply);
    let encoded = BASE64_STANDARD.encode(format!("user:{PASSWORD}"));
    let wanted = format!("Basic {encoded}");
    let proxy = Proxy::start(&[(&*format!("{PUBLIC}:443"), &*sealed.address)], Some(&wanted));
    let with_password = format!("http://user:{PASSWORD}@{}", proxy.address);
    let run = scan_at(PUBLIC, &authority, &[("HTTPS_PROXY", &with_password)], &[]);
    assert_eq!((run.code, findings(&run), run.stderr.as_str()), (0, 2, ""));

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let wrong = with_password.replace("user:", "other:");
    for address in [wrong, format!("http://{}", proxy.address), format!("http://user:{PASSWORD}@{nobody}")] {
        let run = scan_at(PUBLIC, &authority, &[("HTTPS_PROXY", &address)], &[]);
        assert!(run.code == 2 && run.stderr.contains("no connection: ") && run.stderr.contains("HTTPS_PROXY"), "{}", run.stderr);
        for text in [&run.stdout, &run.stderr] {
            assert!(!text.contains(PASSWORD) && !text.contains(&encoded), "{text}");
        }
    }
}

#[test]
fn a_public_registry_cannot_lead_to_this_machine() {
    let authority = Authority::new("ours");
    let (storage, second) = (server(|_, reply| reply), shelf().layers()[1].to_string());
    let sealed_storage = Server::start_tls(authority.server("127.0.0.1"), shelf(), |_, reply| reply);
    let port = |server: &Server| server.address.rsplit(':').next().unwrap().to_owned();
    let (port, sealed_port) = (port(&storage), port(&sealed_storage));
    let places = [
        format!("https://127.0.0.1:{sealed_port}"),
        format!("https://localhost:{sealed_port}"),
        format!("https://[::1]:{sealed_port}"),
        format!("https://[::ffff:127.0.0.1]:{sealed_port}"),
        "https://169.254.169.254".to_owned(),
        "https://192.168.1.1".to_owned(),
        format!("http://127.0.0.1:{port}"),
    ];
    for place in &places {
        let (second, base) = (second.clone(), place.clone());
        let registry = Server::start_tls(authority.server(PUBLIC), shelf(), move |request, reply| {
            if request.path.contains(&second) { Reply::to(&format!("{base}{}", request.path)) } else { reply }
        });
        let proxy = Proxy::start(
            &[(&*format!("{PUBLIC}:443"), &*registry.address), (&*format!("127.0.0.1:{sealed_port}"), &*sealed_storage.address)],
            None,
        );
        let variables = [("HTTPS_PROXY", &*format!("http://{}", proxy.address))];
        let run = scan_at(PUBLIC, &authority, &variables, &[]);
        assert_eq!((run.code, findings(&run)), (3, 1), "{place}: {}", run.stderr);
        let skipped = &valid(&run.stdout)["coverage"]["skipped"];
        assert!(skipped.to_string().contains("which was not asked: "), "{place}: {skipped}");
        assert_eq!(skipped[0]["reason"], "unreadable");
        assert!(proxy.targets().iter().all(|target| *target == format!("{PUBLIC}:443")), "{place}: {:?}", proxy.targets());
        assert!(storage.requests().is_empty() && sealed_storage.requests().is_empty(), "{place}");
    }
    // Asked to, it goes there.
    let base = places[0].clone();
    let registry = Server::start_tls(authority.server(PUBLIC), shelf(), move |request, reply| {
        if request.path.contains(&second) { Reply::to(&format!("{base}{}", request.path)) } else { reply }
    });
    let proxy = Proxy::start(&[(&*format!("{PUBLIC}:443"), &*registry.address)], None);
    let variables = [("HTTPS_PROXY", &*format!("http://{}", proxy.address)), ("NO_PROXY", "127.0.0.1")];
    let run = scan_at(PUBLIC, &authority, &variables, &["--allow-internal-hosts"]);
    assert_eq!((run.code, findings(&run)), (0, 2), "{}", run.stderr);
    assert_eq!(sealed_storage.requests().len(), 1);
}
