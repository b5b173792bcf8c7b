//! How a registry asks who is there: the `WWW-Authenticate` header (RFC 9110, 11.6.1). Pure text.

/// A way to say who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// With user and password in every request.
    Basic,
    /// With a token that `realm` gives.
    Bearer { realm: String, service: Option<String> },
}

/// The first challenge of a header that we can answer, tokens before passwords.
pub(super) fn parse(headers: &[&str]) -> Option<Challenge> {
    let mut has_basic = false;
    for header in headers {
        for (scheme, parameters) in challenges(header) {
            let parameter = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
            if let Some(realm) = parameter("realm").filter(|_| scheme.eq_ignore_ascii_case("bearer")) {
                return Some(Challenge::Bearer { realm, service: parameter("service") });
            }
            has_basic |= scheme.eq_ignore_ascii_case("basic");
        }
    }
    has_basic.then_some(Challenge::Basic)
}

type Parameters = Vec<(String, String)>;

/// Schemes with their parameters. A word that no `=` follows is a scheme.
fn challenges(header: &str) -> Vec<(String, Parameters)> {
    let mut list: Vec<(String, Parameters)> = Vec::new();
    let mut rest = header.trim_start_matches([' ', ',', '\t']);
    while !rest.is_empty() {
        let end = rest.find(|sign: char| !is_token(sign)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            break;
        }
        rest = match after.trim_start().strip_prefix('=') {
            Some(value) => {
                let (value, after) = value_of(value.trim_start());
                if let Some((_, parameters)) = list.last_mut() {
                    parameters.push((word.to_owned(), value));
                }
                after
            }
            None => {
                list.push((word.to_owned(), Vec::new()));
                after
            }
        };
        rest = rest.trim_start_matches([' ', ',', '\t']);
    }
    list
}

/// A token or a quoted text, and what follows.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut signs = quoted.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            '"' => return (value, &quoted[at + 1..]),
            '\\' => value.extend(signs.next().map(|(_, sign)| sign)),
            _ => value.push(sign),
        }
    }
    (value, "")
}

fn is_token(sign: char) -> bool {
    sign.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
    }

    #[test]
    fn challenges_are_read_as_they_are_written() {
        let realm = "https://auth.example.org/token";
        let header = format!(r#"Bearer realm="{realm}",service="registry",scope="repository:a/b:pull,push""#);
        assert_eq!(parse(&[&header]), bearer(realm, Some("registry")));
        assert_eq!(parse(&[r#"bearer Service="a \"b\", c" , REALM=x"#]), bearer("x", Some(r#"a "b", c"#)));
        assert_eq!(parse(&[r#"Basic realm="x""#]), Some(Challenge::Basic));
        assert_eq!(parse(&["Basic"]), Some(Challenge::Basic));
        assert_eq!(parse(&[r#"Basic realm="x", Bearer realm="y""#]), bearer("y", None));
        assert_eq!(parse(&[r#"Basic realm="x""#, r#"Bearer realm="y",error="insufficient_scope""#]), bearer("y", None));
        for none in ["", ",,", "Bearer", "Bearer service=x", "Negotiate", "=", "\"", "realm=\"x\"", "Bearer realm"] {
            assert_eq!(parse(&[none]), None, "{none}");
        }
        assert_eq!(parse(&["Bearer realm=\"never ends"]), bearer("never ends", None));
    }
}
