//! What kind of text a file holds, from its name. It weighs guesses; nothing is skipped for it.

/// How names and values are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Settings: a bare word after `=` or `:` is a value.
    Config,
    /// Program text: a value is a quoted literal; a bare word is a variable.
    Code,
    /// Prose and markup for people.
    Prose,
    /// Tests, fixtures, examples, documentation: values there are mostly made up. Only guesses are weighed by it.
    Sample,
    /// Translations: values are words.
    Locale,
    /// Hashes of things: lock files, checksum lists.
    Checksums,
    /// Anything else.
    Unknown,
}

/// The kind of a text, worked out only where it is asked: most files hold nothing that would be weighed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindOf<'a> {
    /// It is known.
    Known(Kind),
    /// What this path says.
    Path(&'a [u8]),
}

impl KindOf<'_> {
    /// The kind.
    pub fn get(self) -> Kind {
        match self {
            KindOf::Known(kind) => kind,
            KindOf::Path(path) => Kind::of(path),
        }
    }
}

impl Kind {
    /// From a path (or a member's name).
    pub fn of(path: &[u8]) -> Self {
        let name = path.rsplit(|&b| b == b'/' || b == b'\\').next().unwrap_or(path);
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let path = String::from_utf8_lossy(path).to_ascii_lowercase();
        if is_locale(&path, &name) {
            return Kind::Locale;
        }
        if is_checksums(&name) {
            return Kind::Checksums;
        }
        if is_sample(&path) {
            return Kind::Sample;
        }
        let extension =
            name.rsplit_once('.').map_or("", |(stem, extension)| if stem.is_empty() { name.trim_start_matches('.') } else { extension });
        match extension {
            "py" | "pyi" | "js" | "mjs" | "cjs" | "ts" | "tsx" | "jsx" | "java" | "kt" | "scala" | "go" | "rb" | "rs" | "c" | "h"
            | "cc" | "cpp" | "hpp" | "cs" | "php" | "phtml" | "pl" | "pm" | "lua" | "swift" | "m" | "r" | "jl" | "ex" | "exs" | "erl"
            | "hs" | "ml" | "clj" | "groovy" | "vue" | "svelte" | "dart" | "vb" | "ps1" | "psm1" | "t" | "tcl" | "el" | "map" | "erb"
            | "ejs" | "jsp" | "asp" | "aspx" | "coffee" | "gradle" | "sql" | "pyx" | "pxd" | "s" | "asm" | "f90" | "f" | "d" | "zig"
            | "nim" | "cljs" | "gypi" | "ipynb" => Kind::Code,
            "md" | "rst" | "html" | "htm" | "xhtml" | "adoc" | "tex" | "pod" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "info"
            | "texi" | "changes" | "news" | "authors" | "pdf" | "css" | "scss" | "less" | "svg" => Kind::Prose,
            "env" | "ini" | "cfg" | "conf" | "config" | "cnf" | "properties" | "yaml" | "yml" | "json" | "json5" | "toml" | "xml"
            | "tf" | "tfvars" | "tfstate" | "hcl" | "plist" | "rc" | "netrc" | "npmrc" | "pypirc" | "pgpass" | "credentials" | "auth"
            | "list" | "sources" | "sh" | "bash" | "zsh" | "bat" | "cmd" | "service" | "envrc" | "bash_history" | "zsh_history"
            | "ps1_history" | "log" | "settings" | "prefs" | "reg" | "ovpn" | "tpl" | "j2" | "bak" | "old" | "orig" | "backup"
            | "local" | "production" | "dev" | "development" | "staging" | "prod" => Kind::Config,
            _ if name.starts_with(".env") || name.contains("dockerfile") || name.contains("containerfile") || name.ends_with("rc") => {
                Kind::Config
            }
            _ if matches!(
                name.as_str(),
                "config"
                    | "credentials"
                    | "environment"
                    | "passwd"
                    | "shadow"
                    | "hosts"
                    | "makefile"
                    | "profile"
                    | "vagrantfile"
                    | "jenkinsfile"
                    | "user-data"
                    | "user-data.txt"
            ) =>
            {
                Kind::Config
            }
            _ => Kind::Unknown,
        }
    }
}

fn is_sample(path: &str) -> bool {
    let folders = [
        "/test/",
        "/tests/",
        "/testdata/",
        "/__tests__/",
        "/spec/",
        "/fixtures/",
        "/example/",
        "/examples/",
        "/sample/",
        "/samples/",
        "/demo/",
        "/demos/",
    ];
    let names = ["_test.", ".test.", "test_", ".spec.", "examples-", ".examples.", ".example", ".sample", ".d.ts"];
    let name = path.rsplit('/').next().unwrap_or(path);
    // What a project says of itself shows how to use it, with made-up values.
    let is_about = ["readme", "changelog", "metadata", "pkg-info"].iter().any(|about| name.starts_with(about))
        || name.ends_with(".md")
        || name.ends_with(".rst");
    is_about
        || folders.iter().any(|folder| path.contains(folder))
        || names.iter().any(|part| name.contains(part))
        || path.starts_with("/usr/share/doc/")
}

fn is_locale(path: &str, name: &str) -> bool {
    path.contains("/locale/")
        || path.contains("/locales/")
        || path.contains("/i18n/")
        || path.contains("/lang/")
        || path.contains("/translations/")
        || name.ends_with(".po")
        || name.ends_with(".pot")
        || name.ends_with(".mo")
        || name.starts_with("messages_")
}

fn is_checksums(name: &str) -> bool {
    matches!(
        name,
        "record"
            | "package-lock.json"
            | "npm-shrinkwrap.json"
            | "yarn.lock"
            | "pnpm-lock.yaml"
            | "go.sum"
            | "cargo.lock"
            | "poetry.lock"
            | "pipfile.lock"
            | "composer.lock"
            | "gemfile.lock"
            | "uv.lock"
            | "bun.lock"
            | ".package-lock.json"
            | "sha256sums"
            | "sha512sums"
            | "md5sums"
            | "sha1sums"
            | "flake.lock"
    ) || name.ends_with(".md5sums")
        || name.ends_with(".sha256")
        || name.ends_with(".sha512")
        || name.ends_with(".sha1")
        || name.ends_with(".md5")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_kind() {
        for (path, kind) in [
            ("/opt/app/prod.env", Kind::Config),
            ("/opt/app/.env", Kind::Config),
            ("/root/.npmrc", Kind::Config),
            ("/srv/Dockerfile.prod", Kind::Config),
            ("/srv/settings.py", Kind::Code),
            ("/usr/share/man/man1/x.1", Kind::Prose),
            ("/usr/share/locale/de/x.json", Kind::Locale),
            ("/srv/package-lock.json", Kind::Checksums),
            ("/var/lib/dpkg/info/x.md5sums", Kind::Checksums),
            ("/usr/bin/x", Kind::Unknown),
            ("/srv/app/tests/conf.py", Kind::Sample),
            ("/srv/app/.env.example", Kind::Sample),
            ("/srv/latest/conf.py", Kind::Code),
        ] {
            assert_eq!(Kind::of(path.as_bytes()), kind, "{path}");
        }
    }
}
