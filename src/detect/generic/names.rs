//! What a name says of the value it is given: whether it is a secret's, a word about one, or something else.

use crate::detect::words::WordList;

/// Last words of names that are about a secret and do not hold it: `password_file`, `token_url`, `secret_name`.
static ABOUT: WordList = WordList::new(
    "\
    file path dir url uri name names id ids field label title hint help error message msg type length len size min max count \
    policy policies prompt placeholder input format expired expires expiry ttl age algorithm algo alg encoding store manager \
    provider service class regex pattern endpoint header prefix suffix column table version ref arn keyword keywords \
    callback env var command cmd text desc description required enabled disabled hash hashes checksum digest public usage \
    limit mode method kind index offset pos position begin end start stop state status kwargs args is has no use tokenizer \
    tokens tokenize tokenization bytes cost rounds strength",
);

/// Words beside `token` that make it a mark in a list, or of a request: it opens nothing.
static MARKS: WordList = WordList::new(
    "\
    next page paging pagination continuation continue client request sync lock change resume idempotency idempotent \
    cancellation cancel marker cursor previous prev starting update dedup creation creator caller",
);

/// Words that say that a value is made up.
static TESTS: WordList =
    WordList::new("test tests testing example sample demo dummy fake mock default placeholder my your wrong bad invalid expected");

/// Parts of names that hardly ever stand before anything but a secret.
static STRONG: WordList = WordList::new(
    "\
    passw pwd secret _pass passphrase api_key apikey api-key access_key accesskey access-key private_key credential auth_token \
    access_token",
);

/// What a name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct NameFacts {
    pub(super) password: bool,
    pub(super) secret: bool,
    pub(super) token: bool,
    pub(super) key: bool,
    pub(super) auth: bool,
    pub(super) salt: bool,
    /// Nothing but one of these words.
    pub(super) alone: bool,
    pub(super) strong: bool,
    pub(super) about: bool,
    pub(super) mark: bool,
    pub(super) test: bool,
    pub(super) plural: bool,
}

impl NameFacts {
    pub(super) fn of(name: &[u8]) -> Self {
        let lower = String::from_utf8_lossy(name).to_ascii_lowercase();
        let has = |wanted: &[&str]| wanted.iter().any(|part| lower.contains(part));
        let is_in = |list: &[&str], word: &[u8]| list.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        let any = |list: &[&str]| parts(name).any(|word| is_in(list, word));
        let last = parts(name).last().unwrap_or_default();
        let first = parts(name).next().unwrap_or_default();
        let token = has(&["token"]);
        Self {
            password: has(&["pass", "pwd", "pw"]),
            secret: has(&["secret"]),
            token,
            key: has(&["key"]),
            auth: has(&["auth", "credential", "bearer"]),
            salt: has(&["salt"]),
            alone: parts(name).count() == 1,
            strong: has(&STRONG) || lower == "pass" || lower.ends_with("token"),
            about: is_in(&ABOUT, last) || is_in(&["is", "has", "no", "use", "public"], first),
            mark: token && any(&MARKS),
            test: any(&TESTS),
            plural: matches!(last, [.., b's' | b'S']) && !matches!(last, [.., b's' | b'S', _]),
        }
    }
}

/// Last words of names that hold what points to a secret or sums it up.
static POINTERS: WordList = WordList::new("id ids url uri path file hash hashes checksum digest fingerprint");

/// Whether the name may hold a secret at all: it is a word, and does not say that what it holds is public, or only leads to the secret.
pub(super) fn may_hold(name: &[u8]) -> bool {
    let points = parts(name).last().is_some_and(|last| POINTERS.iter().any(|word| last.eq_ignore_ascii_case(word.as_bytes())));
    name.iter().any(u8::is_ascii_alphabetic) && !points && !parts(name).any(|word| word.eq_ignore_ascii_case(b"public"))
}

/// Splits `dbPassword`, `DB_PASSWORD` and `db.password` into words, in lower case.
pub(crate) fn words(name: &[u8]) -> Vec<String> {
    parts(name).map(|word| word.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect()).collect()
}

/// The same words as they stand in the name: letters and digits, up to an upper-case letter behind a lower-case one or a digit.
fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|byte| !byte.is_ascii_alphanumeric())
        .flat_map(|run| run.chunk_by(|one, next| !next.is_ascii_uppercase() || one.is_ascii_uppercase()))
}

/// An identifier in five groups of hex digits: some services issue secrets of this form, most use it for names.
pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, b)| if matches!(at, 8 | 13 | 18 | 23) { *b == b'-' } else { b.is_ascii_hexdigit() })
}

/// Whether the letters of `value` are those of its name: `password = "password1"`.
pub(super) fn repeats(name: &[u8], value: &[u8]) -> bool {
    let letters = letters(value);
    letters.is_empty() || String::from_utf8_lossy(name).to_ascii_lowercase().contains(&letters)
}

/// Whether the value holds a word for a secret: `my-password`.
pub(super) fn names_a_secret(value: &[u8]) -> bool {
    let letters = letters(value);
    letters.len() >= 5 && ["password", "secret", "token", "apikey", "credential"].iter().any(|word| letters.contains(word))
}

fn letters(value: &[u8]) -> String {
    value.iter().filter(|byte| byte.is_ascii_alphabetic()).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}
