//! What the scorer looks at: a value, the name it is given to, how both are written, and the kind of file. Numbers only; what they weigh is
//! for [`super::model`].

use std::ops::Range;

use super::names::{self, NameFacts};
use crate::content::kind::Kind;
use crate::detect::assignment::{Found, Operator, Quoting};
use crate::detect::{entropy, placeholder, weak};

/// How far round the assignment the line and its neighbours are looked at, in bytes.
const NEAR: usize = 160;

macro_rules! features {
    ($($name:ident = $words:literal),* $(,)?) => {
        /// A feature.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each has its words in WORDS")]
        pub enum Feature { $($name),* }

        impl Feature {
            /// All, in the order of the weights.
            pub const ALL: &'static [Feature] = &[$(Feature::$name),*];

            /// What it says, for people; also its name in the training data.
            pub fn words(self) -> &'static str {
                match self { $(Feature::$name => $words),* }
            }
        }
    };
}

features! {
    Random = "the value looks random",
    RandomSquared = "the value looks very random",
    Bits = "letters follow each other as in words",
    Entropy = "characters are spread evenly",
    Distinct = "characters hardly repeat",
    Digits = "digits in the value",
    Upper = "capital letters in the value",
    Lower = "small letters in the value",
    Punctuation = "punctuation in the value",
    Separators = "marks between words in the value",
    Changes = "letters and digits alternate",
    Classes3 = "three kinds of characters",
    Classes4 = "four kinds of characters",
    OnlyLower = "only small letters",
    OnlyLetters = "only letters",
    OnlyDigits = "only digits",
    Hex = "hexadecimal",
    HexDigest = "hexadecimal, as long as a digest",
    Base64 = "base64 of whole bytes",
    Uuid = "an identifier in five groups",
    Length4 = "four or five characters",
    Length6 = "six or seven characters",
    Length8 = "eight to eleven characters",
    Length12 = "twelve to fifteen characters",
    Length16 = "sixteen to twenty-three characters",
    Length24 = "twenty-four to thirty-nine characters",
    Length40 = "forty to sixty-four characters",
    Length65 = "more than sixty-four characters",
    Wordlike = "reads as words",
    CamelCase = "a name in a program",
    SnakeCase = "words joined by marks",
    Dotted = "a dotted name",
    Chosen = "made like a chosen password",
    ByPolicy = "made as sign-up forms demand",
    Mixed = "letters with digits or special characters",
    Telling = "holds a word for a made-up value",
    Naming = "holds a word for a secret",
    RepeatsName = "repeats its name",
    LeadingCapital = "a word with a capital",
    Path = "looks like a path",
    Blank = "holds blanks",
    NamePassword = "the name says password",
    NameSecret = "the name says secret",
    NameToken = "the name says token",
    NameKey = "the name says key",
    NameAuth = "the name says authorization",
    NameSalt = "the name says salt",
    NameAlone = "the name is that word alone",
    NameStrong = "the name hardly ever means anything else",
    NameAbout = "the name is about a secret, not one",
    NameMark = "the name is of a place in a list",
    NameTest = "the name says test",
    NameEnvironment = "the name is an environment variable's",
    NameLong = "a long name",
    NameQuoted = "the name is quoted",
    NamePlural = "the name is a plural",
    Quoted = "the value is a quoted literal",
    Bare = "the value is bare",
    Element = "the value is an element's text",
    Equals = "joined by an equals sign",
    Colon = "joined by a colon",
    Comparison = "a comparison",
    Flag = "an argument of a command",
    Argument = "an argument beside its name",
    Call = "the argument of a call",
    Listed = "one of a list",
    Escaped = "inside another literal",
    Decoded = "was encoded",
    InComment = "in a comment",
    LongLine = "in a long line",
    UserBeside = "a user is named beside it",
    Config = "in a file of settings",
    Code = "in program text",
    Prose = "in a text for people",
    Sample = "in a test or an example",
    Unknown = "in a file of an unknown kind",
    CodeBare = "a bare word in program text",
    ConfigBare = "a bare word in a file of settings",
    PasswordWordlike = "words under a password's name",
    PasswordRandom = "random under a password's name",
    SecretRandom = "random under a secret's name",
    TokenRandom = "random under a token's name",
    KeyRandom = "random under a key's name",
    TokenHex = "hexadecimal under a token's name",
    KeyHex = "hexadecimal under a key's name",
    SampleRandom = "random in a test or an example",
    CodeRandom = "random in program text",
    ConfigRandom = "random in a file of settings",
    PasswordChosen = "a chosen password under a password's name",
    ShortLower = "a few small letters that are no word",
    PasswordUser = "a password with its user",
}

/// How many there are.
pub const COUNT: usize = Feature::ALL.len();

/// A value's features.
#[derive(Debug, Clone, PartialEq)]
pub struct Features(pub [f32; COUNT]);

impl Features {
    fn set(&mut self, feature: Feature, value: f32) {
        self.0[feature as usize] = value;
    }

    fn mark(&mut self, feature: Feature, holds: bool) {
        self.set(feature, f32::from(u8::from(holds)));
    }

    fn has(&self, feature: Feature) -> bool {
        self.0[feature as usize] > 0.0
    }

    fn get(&self, feature: Feature) -> f32 {
        self.0[feature as usize]
    }

    /// Works out the features of an assignment.
    pub fn of(text: &[u8], found: &Found, kind: Kind, is_decoded: bool) -> Self {
        let mut features = Self([0.0; COUNT]);
        let (name, value) = (&text[found.name.clone()], &text[found.value.clone()]);
        features.value(value);
        features.name(&NameFacts::of(name), name, found);
        features.syntax(text, found, is_decoded);
        features.file(kind);
        features.both(found, kind, name, value);
        features
    }

    fn value(&mut self, value: &[u8]) {
        use Feature::*;
        let length = value.len().max(1) as f32;
        let share = |is: fn(&u8) -> bool| value.iter().filter(|byte| is(byte)).count() as f32 / length;
        let random = placeholder::randomness(value);
        let (lower, upper, digits) = (share(u8::is_ascii_lowercase), share(u8::is_ascii_uppercase), share(u8::is_ascii_digit));
        let separators = share(|byte| b" _-./:,\\".contains(byte));
        let punctuation = 1.0 - lower - upper - digits - separators;
        let entropy = entropy::shannon(value) as f32;
        let distinct = value.iter().fold([false; 256], |mut seen, byte| {
            seen[usize::from(*byte)] = true;
            seen
        });
        let distinct = distinct.iter().filter(|seen| **seen).count() as f32;
        let alternates = |pair: &&[u8]| pair[0].is_ascii_alphabetic() != pair[1].is_ascii_alphabetic();
        let classes = [lower, upper, digits, punctuation + separators].iter().filter(|share| **share > 0.001).count();
        self.set(Random, random);
        self.set(RandomSquared, random * random);
        self.set(Bits, placeholder::word_bits(value).clamp(-4.0, 4.0) / 4.0);
        self.set(Entropy, entropy / length.clamp(2.0, 64.0).log2());
        self.set(Distinct, distinct / length.min(40.0));
        self.set(Digits, digits);
        self.set(Upper, upper);
        self.set(Lower, lower);
        self.set(Punctuation, punctuation.max(0.0));
        self.set(Separators, separators);
        self.set(Changes, value.windows(2).filter(alternates).count() as f32 / length);
        self.mark(Classes3, classes >= 3);
        self.mark(Classes4, classes >= 4);
        self.mark(OnlyLower, value.iter().all(u8::is_ascii_lowercase));
        self.mark(OnlyLetters, value.iter().all(u8::is_ascii_alphabetic));
        self.mark(OnlyDigits, value.iter().all(u8::is_ascii_digit));
        let is_hex = value.len() >= 8 && value.iter().all(u8::is_ascii_hexdigit) && digits > 0.0 && lower + upper > 0.0;
        self.mark(Hex, is_hex);
        self.mark(HexDigest, is_hex && matches!(value.len(), 32 | 40 | 56 | 64 | 96 | 128));
        self.mark(Base64, is_base64(value));
        self.mark(Uuid, names::is_uuid(value));
        let lengths = [Length4, Length6, Length8, Length12, Length16, Length24, Length40, Length65];
        let bounds = [6, 8, 12, 16, 24, 40, 65];
        let bucket = bounds.iter().position(|bound| value.len() < *bound).unwrap_or(bounds.len());
        self.set(lengths[bucket], 1.0);
        self.mark(Wordlike, placeholder::is_wordlike(value));
        self.mark(CamelCase, weak::is_camel_case(value));
        let letters_and = |marks: &[u8]| value.iter().all(|byte| byte.is_ascii_alphanumeric() || marks.contains(byte));
        self.mark(SnakeCase, separators > 0.0 && letters_and(b"_-"));
        self.mark(Dotted, value.contains(&b'.') && letters_and(b"._-"));
        self.mark(Chosen, weak::is_chosen(value));
        self.mark(ByPolicy, placeholder::is_by_policy(value));
        self.mark(Mixed, weak::is_mixed(value));
        self.mark(Telling, placeholder::holds_telling_word(value));
        self.mark(LeadingCapital, value[0].is_ascii_uppercase() && value[1..].iter().all(u8::is_ascii_lowercase));
        self.mark(Path, value.contains(&b'/') && letters_and(b"/._-~"));
        self.mark(Blank, value.contains(&b' '));
        self.mark(ShortLower, value.len() < 10 && value.iter().all(u8::is_ascii_lowercase) && placeholder::word_bits(value) < 0.0);
    }

    fn name(&mut self, facts: &NameFacts, name: &[u8], found: &Found) {
        use Feature::*;
        self.mark(NamePassword, facts.password);
        self.mark(NameSecret, facts.secret);
        self.mark(NameToken, facts.token);
        self.mark(NameKey, facts.key);
        self.mark(NameAuth, facts.auth);
        self.mark(NameSalt, facts.salt);
        self.mark(NameAlone, facts.alone);
        self.mark(NameStrong, facts.strong);
        self.mark(NameAbout, facts.about);
        self.mark(NameMark, facts.mark);
        self.mark(NameTest, facts.test);
        self.mark(NamePlural, facts.plural);
        self.mark(
            NameEnvironment,
            name.contains(&b'_') && name.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_'),
        );
        self.mark(NameLong, name.len() > 24);
        self.mark(NameQuoted, found.quoted_name);
    }

    fn syntax(&mut self, text: &[u8], found: &Found, is_decoded: bool) {
        use Feature::*;
        self.mark(Quoted, found.quoting == Quoting::Quoted);
        self.mark(Bare, found.quoting == Quoting::Bare);
        self.mark(Element, found.quoting == Quoting::Element);
        self.mark(Equals, found.operator == Operator::Equals);
        self.mark(Colon, found.operator == Operator::Colon);
        self.mark(Comparison, found.operator == Operator::Comparison);
        self.mark(Flag, found.operator == Operator::Flag);
        self.mark(Argument, found.operator == Operator::Argument);
        self.mark(Call, found.operator == Operator::Call);
        self.mark(Listed, found.listed);
        let between = &text[found.name.end..found.value.start];
        self.mark(Escaped, between.contains(&b'\\'));
        self.mark(Decoded, is_decoded);
        let line = line(text, found.name.start..found.value.end);
        let head = text[line.start..found.name.start].trim_ascii_start();
        let opens = [b"#".as_slice(), b"//", b"*", b"/*", b"<!--", b"--", b";"];
        self.mark(InComment, opens.iter().any(|open| head.starts_with(open)));
        self.mark(LongLine, line.len() >= 2 * NEAR);
        self.mark(UserBeside, weak::has_user(text, found));
    }

    fn file(&mut self, kind: Kind) {
        use Feature::*;
        self.mark(Config, kind == Kind::Config);
        self.mark(Code, kind == Kind::Code);
        self.mark(Prose, kind == Kind::Prose);
        self.mark(Sample, kind == Kind::Sample);
        self.mark(Unknown, kind == Kind::Unknown);
    }

    fn both(&mut self, found: &Found, kind: Kind, name: &[u8], value: &[u8]) {
        use Feature::*;
        let random = self.get(Random);
        let when = |holds: bool, value: f32| if holds { value } else { 0.0 };
        self.mark(RepeatsName, names::repeats(name, value));
        self.mark(Naming, names::names_a_secret(value));
        self.mark(CodeBare, kind == Kind::Code && found.quoting == Quoting::Bare);
        self.mark(ConfigBare, kind == Kind::Config && found.quoting == Quoting::Bare);
        self.mark(PasswordWordlike, self.has(NamePassword) && self.has(Wordlike));
        self.set(PasswordRandom, when(self.has(NamePassword), random));
        self.set(SecretRandom, when(self.has(NameSecret), random));
        self.set(TokenRandom, when(self.has(NameToken), random));
        self.set(KeyRandom, when(self.has(NameKey), random));
        self.mark(TokenHex, self.has(NameToken) && self.has(Hex));
        self.mark(KeyHex, self.has(NameKey) && self.has(Hex));
        self.set(SampleRandom, when(kind == Kind::Sample, random));
        self.set(CodeRandom, when(kind == Kind::Code, random));
        self.set(ConfigRandom, when(kind == Kind::Config, random));
        self.mark(PasswordChosen, self.has(NamePassword) && self.has(Chosen) && self.has(Mixed));
        self.mark(PasswordUser, self.has(NamePassword) && self.has(UserBeside));
    }
}

/// The line that holds `span`, as far as it is near.
fn line(text: &[u8], span: Range<usize>) -> Range<usize> {
    let start = span.start.saturating_sub(NEAR);
    let start = memchr::memrchr(b'\n', &text[start..span.start]).map_or(start, |at| start + at + 1);
    let end = (span.end + NEAR).min(text.len());
    let end = memchr::memchr(b'\n', &text[span.end..end]).map_or(end, |at| span.end + at);
    start..end
}

/// Base64 with padding, or long enough to be nothing else.
fn is_base64(value: &[u8]) -> bool {
    let padding = value.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &value[..value.len() - padding];
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
    value.len() >= 16 && value.len().is_multiple_of(4) && padding <= 2 && body.iter().all(is_digit)
}
