//! Programs that keep logins: `docker-credential-NAME get` is given a server and answers with JSON.
//!
//! Its name comes from a file, and its answer from a program: the name may have no sign that leads elsewhere, the answer is bounded in size
//! and in time, and nothing of it is ever quoted. What it says on standard error is not read.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde::Deserialize;

use crate::finding::Secret;

/// Most bytes of an answer.
const MAX_ANSWER: u64 = 64 << 10;

/// What helpers say if they have no login for a server.
const NONE: &[u8] = b"credentials not found";

/// A helper's answer.
pub(super) struct Answer {
    pub(super) username: String,
    pub(super) secret: Secret,
}

#[derive(Deserialize)]
struct Json {
    #[serde(rename = "Username")]
    username: String,
    #[serde(rename = "Secret")]
    secret: String,
}

/// Asks a helper for the login to a server; none if it has none.
pub(super) fn get(name: &str, server: &str, patience: Duration) -> Result<Option<Answer>, String> {
    let is_sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(is_sign) {
        return Err("its credential helper has a name that is none".to_owned());
    }
    let program = format!("docker-credential-{name}");
    let said = run(Command::new(&program), server, patience).map_err(|problem| format!("{program} {problem}"))?;
    if said.windows(NONE.len()).any(|window| window == NONE) {
        return Ok(None);
    }
    let json: Json = serde_json::from_slice(&said).map_err(|_| format!("{program} gave no login"))?;
    Ok(Some(Answer { username: json.username, secret: Secret::new(json.secret.into_bytes(), 0) }))
}

/// Runs the program and gives what it wrote to standard output.
fn run(mut command: Command, server: &str, patience: Duration) -> Result<Vec<u8>, String> {
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("cannot be run: {error}"))?;
    let said = talk(&mut child, server, patience);
    // It has said all it may; one that still runs is not waited for.
    let _ = child.kill();
    let _ = child.wait();
    said
}

fn talk(child: &mut Child, server: &str, patience: Duration) -> Result<Vec<u8>, String> {
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not want to know the server gives what it gives.
        let _ = writeln!(stdin, "{server}");
    }
    let Some(stdout) = child.stdout.take() else { return Err("cannot be read".to_owned()) };
    let (sender, answer) = mpsc::channel();
    // Reading blocks, and a child of the child may keep the pipe open for ever: only a thread of its own can be left behind.
    std::thread::spawn(move || {
        let mut said = Vec::new();
        let read = stdout.take(MAX_ANSWER + 1).read_to_end(&mut said);
        let _ = sender.send(read.map(|_| said));
    });
    match answer.recv_timeout(patience) {
        Ok(Ok(said)) if said.len() as u64 > MAX_ANSWER => Err(format!("said more than {MAX_ANSWER} bytes")),
        Ok(Ok(said)) => Ok(said),
        Ok(Err(error)) => Err(format!("cannot be read: {error}")),
        Err(_) => Err(format!("did not answer within {} s", patience.as_secs_f32())),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn shell(script: &str, patience: Duration) -> Result<Vec<u8>, String> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, "registry.example", patience)
    }

    #[test]
    fn it_is_told_the_server_and_its_answer_is_taken() {
        assert_eq!(shell("read server; echo \"$0 $server\"", PATIENCE), Ok(b"get registry.example\n".to_vec()));
    }

    #[test]
    fn one_that_never_ends_is_left() {
        let soon = Duration::from_millis(200);
        assert!(shell("exec sleep 10", soon).is_err_and(|problem| problem.starts_with("did not answer within")));
        // Its child keeps the pipe open.
        assert!(shell("sleep 2 & exit 0", soon).is_err());
    }

    #[test]
    fn one_that_says_too_much_is_not_listened_to() {
        let problem = shell("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", PATIENCE);
        assert_eq!(problem, Err("said more than 65536 bytes".to_owned()));
    }

    #[test]
    fn its_name_leads_nowhere_else() {
        for name in ["", "../sh", "a/b", "A", "a b", "a\0", "\u{e9}", &"a".repeat(65)] {
            assert!(get(name, "registry.example", PATIENCE).is_err_and(|problem| problem.ends_with("has a name that is none")), "{name}");
        }
    }
}
