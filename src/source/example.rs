//! `example:`, an image that shows what the program is about, without a file or a registry.
//!
//! What looks like a secret in it is drawn from a fixed seed and opens nothing. Knows no rule: the tokens are put together here as their
//! issuers put them together.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::builder::ImageBuilder;
use crate::random::Random;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The example as `docker save` would write it.
pub(super) fn archive() -> io::Result<Vec<u8>> {
    image().docker25()
}

/// A web application with the mistakes that are made in the field: deleted, overwritten, left lying about, baked into config and history.
fn image() -> ImageBuilder {
    let random = &mut Random::from_text("layersift example");
    let (github, npm) = (checked_token("ghp_", random), checked_token("npm_", random));
    let (ci_token, baked_token) = (checked_token("ghp_", random), checked_token("npm_", random));
    let password = random.text(BASE62, 20);
    let database = format!("postgres://app:{}@db.internal:5432/app", random.text(BASE62, 22));
    let aws_id = format!("AKIA{}", random.text(BASE32, 16));
    let aws_secret = random.text(BASE62, 40);
    let deploy_key = private_key(random);
    ImageBuilder::new()
        .tag("example.org/shop/web:1.4.2")
        .config("Cmd", serde_json::json!(["node", "/app/server.js"]))
        .layer("ADD rootfs.tar.xz /", |layer| {
            layer.directory("/etc");
            layer.file("/etc/os-release", "NAME=\"Example Linux\"\nID=example\n");
            layer.file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n");
        })
        .env("NODE_ENV", "production")
        .label("org.opencontainers.image.title", "web")
        .layer("COPY . /app", |layer| {
            layer.directory("/app");
            layer.file("/app/server.js", "require('http').createServer((_, answer) => answer.end('hello')).listen(8080);\n");
            layer.file("/app/.env", format!("NODE_ENV=production\nGITHUB_TOKEN={github}\nDATABASE_URL={database}\n"));
            layer.file("/app/.npmrc", format!("//registry.npmjs.org/:_authToken={npm}\n"));
            layer.file("/app/config.yml", format!("listen: 8080\ndatabase:\n  user: app\n  password: {password}\n"));
            layer.file("/app/.ci/token", format!("{ci_token}\n"));
            layer.file("/app/.ci/run.sh", "#!/bin/sh\nexec npm test\n");
            layer.file("/root/.ssh/id_ed25519", &deploy_key);
        })
        .history_arg("NPM_TOKEN", &baked_token)
        .layer("RUN npm ci", |layer| layer.file("/app/node_modules/.package-lock.json", "{\"lockfileVersion\": 3}\n"))
        .layer("RUN rm /app/.env", |layer| layer.whiteout("/app/.env"))
        .layer("RUN rm -r /app/.ci", |layer| layer.whiteout("/app/.ci"))
        .layer("COPY config.production.yml /app/config.yml", |layer| {
            layer.file("/app/config.yml", "listen: 8080\ndatabase:\n  user: app\n  password: ${DATABASE_PASSWORD}\n");
        })
        .env("AWS_ACCESS_KEY_ID", &aws_id)
        .env("AWS_SECRET_ACCESS_KEY", &aws_secret)
}

/// A token that ends in the CRC-32 of its body in base 62, as those of GitHub and npm do
/// (<https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/>).
fn checked_token(marker: &str, random: &mut Random) -> String {
    let body = random.text(BASE62, 30);
    let mut crc = flate2::Crc::new();
    crc.update(body.as_bytes());
    let mut rest = crc.sum() as usize;
    let mut check = [b'0'; 6];
    for digit in check.iter_mut().rev() {
        *digit = BASE62[rest % BASE62.len()];
        rest /= BASE62.len();
    }
    format!("{marker}{body}{}", String::from_utf8_lossy(&check))
}

/// An Ed25519 private key in PKCS #8 (RFC 8410, section 7): a fixed head and 32 bytes that are any.
fn private_key(random: &mut Random) -> String {
    let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    let body = STANDARD.encode([head.as_slice(), &random.bytes(32)].concat());
    // In two parts, so that no file of this project looks like one with a key in it.
    let (begin, end) = (["-----BEGIN", "PRIVATE KEY-----"].join(" "), ["-----END", "PRIVATE KEY-----"].join(" "));
    format!("{begin}\n{body}\n{end}\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_example_never_changes() {
        assert_eq!(archive().unwrap(), archive().unwrap());
    }

    #[test]
    fn the_check_of_a_token_is_the_one_its_issuer_would_write() {
        let token = checked_token("ghp_", &mut Random::new(1));
        let (body, check) = token["ghp_".len()..].split_at(30);
        let value = check.bytes().fold(0, |value, digit| value * 62 + BASE62.iter().position(|known| *known == digit).unwrap() as u64);
        let mut crc = flate2::Crc::new();
        crc.update(body.as_bytes());
        assert_eq!(value, u64::from(crc.sum()));
    }
}
