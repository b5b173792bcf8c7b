//! Texts that say where a secret is kept or how it comes about, and so are none: variables, templates, vaults, calls, files.

use memchr::memmem;

use super::wordlike::{RANDOM, randomness};
use crate::detect::words::WordList;

/// The kind of reference, as a word for people.
pub(super) fn reference(text: &[u8]) -> Option<&'static str> {
    if is_sealed(text) {
        return Some("encrypted value");
    }
    if is_stored(text) {
        return Some("secret store");
    }
    if is_variable(text) {
        return Some("variable");
    }
    if is_template(text) {
        return Some("template");
    }
    if is_format(text) {
        return Some("format string");
    }
    if is_expression(text) {
        return Some("expression");
    }
    is_path(text).then_some("path")
}

/// Whether the text begins with one of the words, in either case.
fn starts_with_any(text: &[u8], prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes())))
}

fn contains(text: &[u8], what: &str) -> bool {
    memmem::find(text, what.as_bytes()).is_some()
}

fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// A name as variables have it: upper case throughout, or one that reads as words.
fn is_variable_name(text: &[u8]) -> bool {
    let upper = text.iter().all(|byte| !byte.is_ascii_lowercase()) && text.iter().filter(|byte| byte.is_ascii_uppercase()).count() >= 2;
    is_name(text) && text.len() <= 64 && (upper && !has_many_digits(text) || randomness(text) < RANDOM)
}

fn has_many_digits(text: &[u8]) -> bool {
    text.iter().filter(|byte| byte.is_ascii_digit()).count() * 4 > text.len()
}

/// Marks of tools that keep secrets encrypted in place.
fn is_sealed(text: &[u8]) -> bool {
    static MARKS: WordList = WordList::new(
        "\
        ENC[ ENC( {cipher} $ANSIBLE_VAULT !vault !encrypted {aes256} DEC:: secure:",
    );
    starts_with_any(text, &MARKS)
}

/// Addresses within secret stores.
fn is_stored(text: &[u8]) -> bool {
    static PREFIXES: WordList = WordList::new(
        "\
        vault: vault:// op:// ref+ arn:aws:secretsmanager: arn:aws:ssm: arn:aws-cn:secretsmanager: arn:aws-us-gov:secretsmanager: \
        sm:// ssm:// ssm:/ secretsmanager: awssm:// awsssm:// gcpsm:// azurekv:// keyvault: akv:// bws: keyring: keychain: \
        credstash: sops: env: env:// file:/ @Microsoft.KeyVault( {{resolve: secretKeyRef secret:// secrets:// k8s:secret doppler:// \
        infisical:// conjur: berglas://",
    );
    starts_with_any(text, &PREFIXES) || contains(text, "secretKeyRef") || text.starts_with(b"projects/") && contains(text, "/secrets/")
}

/// `$NAME`, `${...}`, `$(...)`, `$env:NAME`, `%NAME%`, `@NAME@`, `__NAME__`, `!Ref NAME`.
fn is_variable(text: &[u8]) -> bool {
    static MARKS: WordList = WordList::new("$env: !Ref !Sub !GetAtt !ImportValue !reference $this-> $_ENV[ $_SERVER[");
    let name = match text {
        [b'$', name @ ..] | [b'%', name @ .., b'%'] | [b'@', name @ .., b'@'] | [b'_', b'_', name @ .., b'_', b'_'] => name,
        _ => &[],
    };
    is_variable_name(name) || holds_name(text, b"${", b'}') || holds_name(text, b"$(", b')') || starts_with_any(text, &MARKS)
}

/// Whether what the braces hold begins as a name does; a random text might hold a pair of them.
fn holds_name(text: &[u8], open: &[u8], close: u8) -> bool {
    let Some(inner) = memmem::find(text, open).map(|at| &text[at + open.len()..]) else {
        return false;
    };
    let Some(inner) = memchr::memchr(close, inner).map(|end| &inner[..end]) else {
        return false;
    };
    let name = inner.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b' ')).count();
    !inner.is_empty() && name >= 2.min(inner.len())
}

/// `{{ name }}`, `<%= name %>`, `#{name}`, `{name}`, `{% ... %}`, `[[ name ]]`.
fn is_template(text: &[u8]) -> bool {
    let pairs = [("{{", "}}"), ("<%", "%>"), ("{%", "%}"), ("[[", "]]"), ("((", "))")];
    let within =
        pairs.into_iter().any(|(open, close)| memmem::find(text, open.as_bytes()).is_some_and(|at| contains(&text[at + 2..], close)));
    match text {
        [b'{', name @ .., b'}'] | [b'#', b'{', name @ .., b'}'] if is_variable_name(name) => true,
        _ => within || memmem::find(text, b"#{").is_some_and(|at| is_interpolation(&text[at + 2..])),
    }
}

fn is_interpolation(text: &[u8]) -> bool {
    memchr::memchr(b'}', text)
        .is_some_and(|end| end > 0 && text[..end].iter().all(|byte| byte.is_ascii_graphic()) && randomness(&text[..end]) < RANDOM)
}

/// `%s`, `%(name)s`, `{0}`, `Bearer %s`.
fn is_format(text: &[u8]) -> bool {
    let flag = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'$' | b'+' | b'-' | b'#' | b'.' | b'l');
    let whole = match text {
        [b'%', flags @ .., verb] => (verb.is_ascii_alphabetic() || *verb == b'@') && flags.iter().all(flag),
        [b'{', digits @ .., b'}'] => digits.len() <= 2 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let named = memmem::find(text, b"%(").is_some_and(|at| is_named_verb(&text[at..]));
    whole || named || ["%s", "%d", "%v", "%q", "{}"].iter().any(|verb| holds_verb(text, verb.as_bytes()))
}

/// Whether a verb stands in the text with no letter behind it, and what stands round it is short, or words.
fn holds_verb(text: &[u8], verb: &[u8]) -> bool {
    let Some(at) = memmem::find(text, verb) else { return false };
    let ends = !text.get(at + verb.len()).is_some_and(u8::is_ascii_alphanumeric);
    ends && (text.len() <= verb.len() + 4 || text.len() <= 80 && randomness(text) < RANDOM)
}

/// `%(name)s`.
fn is_named_verb(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"%(") else { return false };
    memchr::memchr(b')', rest).is_some_and(|end| is_name(&rest[..end]) && rest.get(end + 1).is_some_and(u8::is_ascii_alphabetic))
}

/// Program text that computes or fetches a value.
fn is_expression(text: &[u8]) -> bool {
    static FETCHES: WordList = WordList::new(
        "\
        os.environ process.env getenv( environ[ environ.get env::var import.meta.env System.getProperty System.getenv Deno.env ENV[ \
        ENV.fetch Environment.GetEnvironmentVariable ConfigurationManager. Configuration[ config.get keyring.get getpass( getSecret \
        get_secret GetSecret os.Getenv secrets.token_ lookup(' lookup(\" base64encode( random_password.",
    );
    if FETCHES.iter().any(|call| contains(text, call)) {
        return true;
    }
    static OWNERS: WordList = WordList::new(
        "\
        var. local. module. data. self. this. args. options. opts. params. config. settings. request. req. secrets. env. vars. \
        inputs. outputs. needs. steps. github. props. state. process. app.config cfg. conf. values. .Values. context. session. user. \
        form.",
    );
    let member = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'[' | b']' | b'-' | b'?');
    if starts_with_any(text, &OWNERS) && text.iter().all(member) && randomness(text) < RANDOM {
        return true;
    }
    is_call(text)
}

/// `name(...)`, `a.b::c(...)`, `new Name(...)`, `name[...]`.
fn is_call(text: &[u8]) -> bool {
    let body = text.strip_prefix(b"new ").or_else(|| text.strip_prefix(b"await ")).unwrap_or(text);
    let body = body.strip_suffix(b";").unwrap_or(body);
    let Some(open) = body.iter().position(|byte| matches!(byte, b'(' | b'[')) else {
        return false;
    };
    let (name, close) = (&body[..open], if body[open] == b'(' { b')' } else { b']' });
    let path = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-' | b'>' | b'!'));
    open >= 2 && path && name[0].is_ascii_alphabetic() && body.last() == Some(&close) && randomness(name) < RANDOM
}

/// Absolute, home and relative paths of files, on any system; their parts must read as names, since base64 has slashes too.
fn is_path(text: &[u8]) -> bool {
    let drive = matches!(text, [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let rooted = drive || [b"/".as_slice(), b"./", b"../", b"~/", b"\\\\"].iter().any(|start| text.starts_with(start));
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'\\' | b'.' | b'-' | b'_' | b'~' | b':' | b'@' | b' ' | b'*' | b'+')
    };
    let parts = || text.split(|byte| matches!(byte, b'/' | b'\\')).filter(|part| !part.is_empty());
    if !text.iter().all(plain) || parts().next().is_none() {
        return false;
    }
    let names = parts().all(|part| part.len() < 4 || randomness(part) < RANDOM);
    static FILES: WordList = WordList::new(
        "\
        .pem .key .crt .cer .p12 .pfx .jks .json .txt .yml .yaml .conf .env .pub .keystore .kdbx .properties",
    );
    let file = FILES.iter().any(|extension| text.ends_with(extension.as_bytes()));
    names && (rooted && (parts().count() >= 2 || text.len() >= 6) || file && randomness(text) < RANDOM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_refer_is_known() {
        for (kind, texts) in [
            (
                "variable",
                &[
                    "$DB_PASSWORD",
                    "${DB_PASSWORD}",
                    "${db.password:-none}",
                    "$(cat file)",
                    "%PASSWORD%",
                    "@DB_PASSWORD@",
                    "__DB_PASSWORD__",
                    "$env:TOKEN",
                    "$password",
                    "x-${TOKEN}-y",
                    "!Ref DbPassword",
                ][..],
            ),
            (
                "template",
                &["{{ db_password }}", "{{db_password}}", "<%= secret %>", "#{password}", "{password}", "{% secret %}", "((db-password))"],
            ),
            ("encrypted value", &["ENC[AES256_GCM,data:abc]", "ENC(abc)", "{cipher}abc", "$ANSIBLE_VAULT;1.1;AES256", "!vault |"]),
            (
                "secret store",
                &[
                    "vault:secret/data/x#y",
                    "op://vault/item/field",
                    "ref+vault://x",
                    "arn:aws:secretsmanager:eu-west-1:1:secret:x",
                    "secretKeyRef",
                    "projects/1/secrets/x/versions/1",
                ],
            ),
            ("format string", &["%s", "%d", "%1$s", "%(password)s", "{0}", "Bearer %s", "token=%s"]),
            (
                "expression",
                &[
                    "os.environ['X']",
                    "process.env.TOKEN",
                    "getenv(\"X\")",
                    "System.getenv(\"X\")",
                    "var.db_password",
                    "self.password",
                    "getPassword()",
                    "config.get('token')",
                    "request.form[\"password\"]",
                    "secrets.GITHUB_TOKEN",
                ],
            ),
            (
                "path",
                &[
                    "/run/secrets/db_password",
                    "./secrets/key.pem",
                    "~/.ssh/id_rsa",
                    "C:\\keys\\server.key",
                    "/etc/passwd",
                    "config/server.key",
                ],
            ),
        ] {
            for text in texts {
                assert_eq!(reference(text.as_bytes()), Some(kind), "{text}");
            }
        }
    }

    #[test]
    fn passwords_with_the_same_marks_are_not_references() {
        for text in [
            "$Kq9!vZ2m",
            "%tR4x#q",
            "pa$$w(rd",
            "@x9Kq2Lm",
            "Zx{9q}Lk2",
            "kT9(vQ2)zx",
            "a%sK9x2Qz!bT",
            "/9Kx2Qz+vLm4TtR8/aPq3Zw6Yb1NcE5dUhJo7Gf",
            "x_9Kq2__LmZ",
        ] {
            assert_eq!(reference(text.as_bytes()), None, "{text}");
        }
    }
}
