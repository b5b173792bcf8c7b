//! The little that has to be known of URLs: where a `Location` or `Link` leads, and whose a URL is. Pure text.

use ureq::http::Uri;

/// What `location` means in an answer of `base`.
pub(super) fn resolve(base: &Uri, location: &str) -> Option<Uri> {
    let location = location.trim().split('#').next().unwrap_or_default();
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let text = if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else if location.starts_with('?') {
        format!("{scheme}://{authority}{}{location}", base.path())
    } else if has_scheme(location) {
        location.to_owned()
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    };
    let uri: Uri = text.parse().ok()?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    // A user in a URL would be sent as a login.
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    (is_http && !has_user && uri.host().is_some_and(|host| !host.is_empty())).then_some(uri)
}

/// Whether a text begins with a scheme and a colon.
fn has_scheme(text: &str) -> bool {
    let end = text.find([':', '/', '?']).unwrap_or(text.len());
    text[end..].starts_with(':') && end > 0 && text[..end].bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Scheme, host and port: who may be told what was said to the other.
pub(super) fn is_same_origin(a: &Uri, b: &Uri) -> bool {
    let origin = |uri: &Uri| {
        let port = uri.port_u16().or(match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        });
        (uri.scheme_str().map(str::to_owned), uri.host().map(str::to_ascii_lowercase), port)
    };
    origin(a) == origin(b)
}

/// Adds parameters to a URL's query.
pub(super) fn with_query<'q>(uri: &Uri, parameters: impl IntoIterator<Item = (&'q str, &'q str)>) -> Option<Uri> {
    let mut text = uri.to_string();
    let mut sign = if uri.query().is_some() { '&' } else { '?' };
    for (name, value) in parameters {
        text.push(sign);
        text.push_str(name);
        text.push('=');
        escape(value, &mut text);
        sign = '&';
    }
    text.parse().ok()
}

/// A text as it stands in a URL's query.
pub(crate) fn escaped(value: &str) -> String {
    let mut text = String::new();
    escape(value, &mut text);
    text
}

fn escape(value: &str, out: &mut String) {
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

/// The target of a `Link` header whose relation is `next` (RFC 8288).
pub(super) fn next_link(header: &str) -> Option<&str> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (target, after) = link.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        let is_next = |parameter: &str| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
        };
        if parameters.split([';', ',']).any(is_next) {
            return Some(target);
        }
        rest = after;
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_taken_from_where_it_was_said() {
        let base: Uri = "https://example.org:5000/v2/a/blobs/x?y=1".parse().unwrap();
        let table = [
            ("https://cdn.example.net/x?sig=a%2Fb", Some("https://cdn.example.net/x?sig=a%2Fb")),
            ("//cdn.example.net/x", Some("https://cdn.example.net/x")),
            ("/other", Some("https://example.org:5000/other")),
            ("?z=2", Some("https://example.org:5000/v2/a/blobs/x?z=2")),
            ("z", Some("https://example.org:5000/v2/a/blobs/z")),
            (" /x#part ", Some("https://example.org:5000/x")),
            ("http://user:pass@example.org/", None),
            ("ftp://example.org/", None),
            ("file:///etc/passwd", None),
            ("javascript:x", None),
            ("https:///nowhere", None),
            ("https://exa mple.org/", None),
        ];
        for (location, expected) in table {
            assert_eq!(resolve(&base, location).map(|uri| uri.to_string()).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &str, b: &str| is_same_origin(&a.parse().unwrap(), &b.parse().unwrap());
        assert!(same("https://Example.org/a", "https://example.org:443/b") && same("http://a/", "http://a:80/"));
        for other in ["http://example.org/", "https://example.org:444/", "https://example.org.evil.net/", "https://sub.example.org/"] {
            assert!(!same("https://example.org/", other), "{other}");
        }
    }

    #[test]
    fn parameters_are_escaped() {
        let uri = with_query(&"https://a/token?x=1".parse().unwrap(), [("service", "a b&c"), ("scope", "repository:a/b:pull")]).unwrap();
        assert_eq!(uri.to_string(), "https://a/token?x=1&service=a%20b%26c&scope=repository:a/b:pull");
    }

    #[test]
    fn the_next_page_is_the_link_that_says_so() {
        assert_eq!(next_link(r#"</v2/a/tags/list?last=x&n=2>; rel="next""#), Some("/v2/a/tags/list?last=x&n=2"));
        assert_eq!(next_link(r#"</first>; rel=first, </next>; title="x"; rel=next"#), Some("/next"));
        assert_eq!((next_link("</x>; rel=prev"), next_link("x"), next_link("<x")), (None, None, None));
    }
}
