//! What the user sees, word for word.
#![allow(clippy::unwrap_used)]

use super::super::{Colour, Context, Exposure, Suppressed, testing};
use super::*;
use crate::finding::{Coverage, Gaps, Place, Reason};

fn text(scan: &Scan, change: impl FnOnce(&mut Context)) -> String {
    let mut context = testing::context(scan, Exposure::Redacted);
    change(&mut context);
    let mut out = Vec::new();
    Table.write(scan, &context, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn lines_with(text: &str, part: &str) -> Vec<String> {
    text.lines().filter(|line| line.contains(part)).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn findings_stand_under_their_layer_with_their_life_at_80_columns() {
    let text = text(&testing::rich(), |_| ());
    assert_eq!(text.split("What to do").next().unwrap(), LIST);
}

const LIST: &str = r"docker-archive:app.tar  shop/api:1.4  sha256:6105d6cc76af  linux/amd64  3 layers
  base image hub/****/os:1: 1 of 3 layers, by their digests

  layer 1  COPY . .  (sha256:4bf5122f, 12.3 MB)

    #1  CRITICAL  confirmed  example-token  tok_****(24)
        /app/.env:3
        deleted in layer 2 (RUN rm -rf /app/.env (build arguments: PASSWORD…):
        still readable by anyone who pulls
        the same secret again in #2, #8
        also in /app/.env.bak:9
        also in config /config/Env/2

    #2  CRITICAL  likely     example-token  tok_****(24)
        /app/****/\xff.jar!a.zip!b\xfe.yml:12
        decoded from base64
        in the final image
        the same secret as #1

    #3  LOW       possible   generic-secret  ****(14)
        /app/README\x1b[2J.md:3
        readable by anyone who pulls

  layer 2  RUN rm -rf /app/.env (build arguments: P…  (sha256:dbc1b4c9, 12.3 MB)

    #4  HIGH      likely     private-key  ****(78)
        /root/.ssh/id_rsa:1
        key: rsa, 2048 bits, without passphrase, SHA256:abc
        overwritten in layer 2 (RUN rm -rf /app/.env (build arguments:
        PASSWORD…): still readable by anyone who pulls

  image config and history

    #5  MEDIUM    likely     password-assignment  ****(12)
        history /history/4/created_by
        the instruction of layer 2 (RUN rm -rf /app/.env (build arguments:
        PASSWORD…)
        in the image's metadata: readable by anyone who pulls
        the same secret again in #6

    #6  MEDIUM    likely     password-assignment  ****(12)
        label /config/Labels/****~1x
        in the image's metadata: readable by anyone who pulls
        the same secret as #5

dir:/srv/root  1 layer

  files

    #7  LOW       likely     generic-secret  ****(9)
        /etc/x (in the name itself)

  members of the archive that belong to no image

    #8  CRITICAL  likely     example-token  tok_****(24)
        odd.txt
        the same secret as #1

";

#[test]
fn a_rule_says_once_what_to_do_and_the_end_says_what_was_read() {
    let text = text(&testing::rich(), |context| context.width = 140);
    assert_eq!(format!("What to do{}", text.split("What to do").nth(1).unwrap()), END);
}

const END: &str = r"What to do
  example-token
    What example-token finds. Revoke what example-token found, then rebuild the image without it, from the layer that brought it on.
    https://example.com/tokens
  generic-secret
    What generic-secret finds. Revoke what generic-secret found, then rebuild the image without it, from the layer that brought it on.
  private-key
    What private-key finds. Revoke what private-key found, then rebuild the image without it, from the layer that brought it on.
  password-assignment
    What password-assignment finds. Revoke what password-assignment found, then rebuild the image without it, from the layer that brought it
    on.
  overwritten and deleted files
    A later layer hides a file and does not remove it. Revoke what it held, and rebuild so that no layer has it.

What to change in ****/Dockerfile
  probably ****/Dockerfile:4-5  #1
    COPY ****\x1b[2J /app
    Keep **** out.
    Write instead:
      RUN <<EOF
      make ****
      EOF
    Add to .dockerignore: ****/\u{202e}.env
    Build with: docker build --secret id=x,src=**** .

Suppressed: 1 (1 placeholder); --show-suppressed lists them.
Findings: 8 (3 critical, 1 high, 2 medium, 2 low); 7 gate (severity from low, confidence from likely).
Read: 3 layers, 12,345 entries, 2 documents; 7.0 MB read, 20.5 MB expanded, 19.0 MB scanned.
INCOMPLETE: 3 things could not be read in full, or are not what they say:
  too-large (2)
    app.tar layer 1 /app/****.zip (3.0 GB): expands to more than 1 GiB
    app.tar layer 2 /big\u{202e}.zip: expands to more than 1 GiB
  not-a-file (1)
    app.tar layer 1 /dev/null: character device
";

#[test]
fn suppressed_findings_are_listed_with_their_reason_if_asked_for() {
    let text = text(&testing::rich(), |context| context.suppressed = Suppressed::Listed);
    let expected = "Suppressed: 1 (1 placeholder)\n    medium    password-assignment  ****(15)  config /config/Env/0\n        placeholder: it says so: ****\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_wide_terminal_shows_whole_instructions() {
    let text = text(&testing::rich(), |context| context.width = 140);
    let life = "deleted in layer 2 (RUN rm -rf /app/.env (build arguments: PASSWORD=****)): still readable by anyone who pulls";
    assert_eq!(lines_with(&text, "deleted in layer"), [life]);
}

#[test]
fn no_findings_is_said_and_so_is_whether_everything_was_read() {
    let mut scan = testing::empty();
    let expected =
        "No secrets found.\nRead: 0 layers, 0 entries, 0 documents; 0 B read, 0 B expanded, 0 B scanned.\nComplete: everything was read.\n";
    assert_eq!(text(&scan, |_| ()), expected);

    scan.coverage.skip(Reason::NotAFile, "/run/x.sock", None, "socket");
    assert_eq!(lines_with(&text(&scan, |_| ()), "omplete"), ["Complete; 1 thing had no content to read:"]);

    scan.coverage.skip(Reason::Encrypted, "layer 1", None, "");
    let text = text(&scan, |_| ());
    assert_eq!(lines_with(&text, "No secrets"), ["No secrets found in what was read."]);
    assert_eq!(lines_with(&text, "INCOMPLETE"), ["INCOMPLETE: 2 things could not be read in full, or are not what they say:"]);

    let text = self::text(&scan, |context| context.gate.gaps = Gaps::Fail);
    let expected = "INCOMPLETE, which fails the gate: 2 things could not be read in full, or are not what they say:";
    assert_eq!(lines_with(&text, "INCOMPLETE"), [expected]);
}

#[test]
fn at_most_twenty_things_not_read_are_named_and_the_rest_counted() {
    let mut scan = testing::empty();
    for index in 0..15 {
        scan.coverage.skip(Reason::TooDeep, format!("nest {index}"), None, "");
        scan.coverage.skip(Reason::NotAFile, format!("pipe {index}"), None, "");
    }
    scan.coverage = Coverage { skipped_more: 7, ..scan.coverage };
    let text = text(&scan, |_| ());
    assert_eq!(lines_with(&text, "nest ").len(), 15);
    assert_eq!(lines_with(&text, "pipe ").len(), 5);
    assert_eq!(lines_with(&text, "more"), ["and 17 more"]);
}

#[test]
fn a_secret_in_many_places_is_one_line_each_and_then_a_count() {
    let mut scan = testing::rich();
    scan.findings.truncate(2);
    scan.findings[1].also = vec![Place::Label { pointer: "/a".to_owned() }; 8];
    let again = scan.findings[1].clone();
    scan.findings.extend(std::iter::repeat_n(again, 14));
    let text = text(&scan, |_| ());
    assert_eq!(lines_with(&text, "again in"), ["the same secret again in #2, #3, #4, #5, #6, #7, #8, #9, #10, #11 and 4"]);
    assert_eq!(lines_with(&text, "also in label /a").len(), 15 * 5);
    assert_eq!(lines_with(&text, "and 3 more").len(), 15);
}

#[test]
fn findings_of_a_source_without_an_image_are_listed() {
    let mut scan = testing::rich();
    scan.images.clear();
    let text = text(&scan, |_| ());
    assert!(text.starts_with("in no image\n"));
    assert_eq!(lines_with(&text, "#8"), ["the same secret again in #2, #8", "#8  CRITICAL  likely     example-token  tok_****(24)"]);
}

#[test]
fn a_gate_that_never_closes_is_named() {
    let text = text(&testing::rich(), |context| context.gate.fail_on = None);
    assert_eq!(lines_with(&text, "Findings:"), ["Findings: 8 (3 critical, 1 high, 2 medium, 2 low); none gates, as asked."]);
}

#[test]
fn colours_say_nothing_that_words_do_not() {
    let styled = text(&testing::rich(), |context| context.colour = Colour::Styled);
    assert!(styled.contains("\u{1b}[1m"));
    assert_eq!(anstream::adapter::strip_str(&styled).to_string(), text(&testing::rich(), |_| ()));
}

#[test]
fn secrets_are_shown_if_asked_for_and_still_cannot_steer_a_terminal() {
    let scan = testing::rich();
    let text = text(&scan, |context| *context = testing::context(&scan, Exposure::Shown));
    assert_eq!(lines_with(&text, "#7")[0], r"#7  LOW       likely     generic-secret  \xff\xfe\x00binary");
    assert!(text.contains("tok_0123456789abcdefghij") && text.contains(r"-----BEGIN PRIVATE KEY-----\nQUFB"));
}
