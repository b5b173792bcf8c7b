//! By what a blob is known without being read.
//!
//! What a document says of a blob is a claim, and a file can be changed. So bytes on this machine are known only by the file that they lie
//! in: where it is, how long, and when it was changed last, which the system writes down at each change.

use std::fs::{File, Metadata};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::oci::Digest;

/// By what a blob is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// By its digest, where that is the only name of the bytes: who asks for it elsewhere gets bytes of that digest, or throws them away.
    Digest(Digest),
    /// By the file that it lies in: the same stamp, the same bytes.
    File(Stamp),
}

/// A stretch of a file in one state of that file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    path: PathBuf,
    range: Range<u64>,
    state: Vec<u64>,
    changed: Option<SystemTime>,
}

/// Two changes within this time may bear the same time; the clocks of file systems tick some hundred times a second.
const TICK: Duration = Duration::from_millis(50);
/// Where times have no fractions.
const COARSE_TICK: Duration = Duration::from_secs(3);

impl Stamp {
    /// The stretch `range` of `file`, which lies at `path`. None if the system tells too little of the file.
    pub(super) fn of(path: &Path, file: &File, range: Range<u64>) -> Option<Self> {
        let meta = file.metadata().ok()?;
        let (state, changed) = state(&meta)?;
        Some(Self { path: path.canonicalize().ok()?, range, state, changed })
    }

    /// Everything that has to be equal, as bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let numbers = self.state.iter().chain([&self.range.start, &self.range.end]);
        let mut bytes: Vec<u8> = numbers.flat_map(|number| number.to_le_bytes()).collect();
        bytes.extend(self.path.as_os_str().as_encoded_bytes());
        bytes
    }

    /// How long to wait until another change of the file would show; none when it would show now, or never as far as can be told.
    pub fn settles_in(&self) -> Settles {
        let Some(changed) = self.changed else { return Settles::Never };
        let is_coarse = changed.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.subsec_nanos() == 0);
        let tick = if is_coarse { COARSE_TICK } else { TICK };
        match SystemTime::now().duration_since(changed) {
            Ok(age) if age > tick => Settles::Settled,
            Ok(age) if !is_coarse => Settles::In(tick - age + Duration::from_millis(1)),
            // A clock that is ahead of ours.
            _ => Settles::Never,
        }
    }
}

/// Whether a change of a file would change its [`Stamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settles {
    /// It would.
    Settled,
    /// It would after that time.
    In(Duration),
    /// Not within a time worth waiting for.
    Never,
}

/// What the system changes when the file is changed, and the time of the last change. The time of modification can be set by anyone who
/// can write the file; on Unix the time of the last change of any kind cannot.
#[cfg(unix)]
fn state(meta: &Metadata) -> Option<(Vec<u64>, Option<SystemTime>)> {
    use std::os::unix::fs::MetadataExt as _;

    let changed =
        u64::try_from(meta.ctime()).ok().map(|seconds| Duration::new(seconds, u32::try_from(meta.ctime_nsec()).unwrap_or_default()));
    let changed = changed.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since)).max(meta.modified().ok());
    let signed = [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()].map(i64::cast_unsigned);
    Some(([&[meta.len(), meta.dev(), meta.ino()][..], &signed].concat(), changed))
}

#[cfg(not(unix))]
fn state(meta: &Metadata) -> Option<(Vec<u64>, Option<SystemTime>)> {
    let nanos = |time: SystemTime| Some(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_nanos() as u64);
    let (modified, created) = (meta.modified().ok()?, meta.created().ok()?);
    Some((vec![meta.len(), nanos(modified)?, nanos(created)?], Some(modified.max(created))))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_stamp_is_of_one_state_of_one_stretch() {
        let path = std::env::temp_dir().join(format!("layersift-stamp-{}", std::process::id()));
        fs::write(&path, "some bytes").unwrap();
        let stamp = |range| Stamp::of(&path, &File::open(&path).unwrap(), range).unwrap();
        let first = stamp(0..4);
        assert_eq!((stamp(0..4), stamp(0..4).bytes()), (first.clone(), first.bytes()));
        assert_ne!(stamp(0..5).bytes(), first.bytes());
        // As long as before, and dated back.
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        if let Settles::In(time) = first.settles_in() {
            std::thread::sleep(time);
        }
        assert_eq!(stamp(0..4).settles_in(), Settles::Settled);
        let first = stamp(0..4);
        fs::write(&path, "other byte").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        #[cfg(unix)]
        assert_ne!(stamp(0..4).bytes(), first.bytes());
        fs::rename(&path, path.with_extension("moved")).unwrap();
        let moved = path.with_extension("moved");
        assert_ne!(Stamp::of(&moved, &File::open(&moved).unwrap(), 0..4).unwrap().bytes(), first.bytes());
        fs::remove_file(moved).unwrap();
    }
}
