//! A file that is too long to be held in memory, on disk for as long as it is looked into: in a temporary file without a name, which no other
//! user can open and which is gone when the program ends, however it ends. Knows no format, and says nothing of the file to anybody.

use std::io::{self, Cursor, Read, Seek, Write};
use std::path::Path;

use crate::finding::Reason;
use crate::layer::walk::reason_of;
use crate::source::Mapping;

/// Bytes that are written at once.
const CHUNK: usize = 1 << 20;

/// Where files are spooled, and how much of one.
pub(super) struct Spool<'f> {
    /// The folder; none for the platform's.
    pub(super) folder: Option<&'f Path>,
    /// Most bytes.
    pub(super) room: u64,
}

/// A file that lies on disk.
pub(super) struct Spooled {
    pub(super) mapping: Mapping,
    /// What ended it, if that was not its end.
    pub(super) damage: Option<io::Error>,
}

/// A file that could not be spooled.
pub(super) struct Unspooled<'r> {
    pub(super) why: Why,
    /// All of its bytes, those that were written among them.
    pub(super) bytes: Box<dyn Read + Send + 'r>,
    /// How many of them lie on disk until they have been read.
    pub(super) written: u64,
}

impl<'r> Unspooled<'r> {
    /// A file of which nothing was written.
    pub(super) fn of(why: Why, first: Vec<u8>, reader: &'r mut (dyn Read + Send)) -> Self {
        Self { why, bytes: Box::new(Cursor::new(first).chain(reader)), written: 0 }
    }
}

/// Why a file does not lie on disk.
#[derive(Debug)]
pub(super) enum Why {
    /// It is longer than this.
    Bound(u64),
    /// It is not to lie there: reading it would need as much memory all the same.
    Copied,
    /// The system said no.
    System(io::Error),
    /// It could not be read, which says nothing of what it holds.
    Unread(io::Error),
}

/// Whether it is the file itself that is damaged, so that nothing more can come of it.
pub(super) fn is_damage(error: &io::Error) -> bool {
    reason_of(error) == Reason::DamagedStream
}

impl Spool<'_> {
    /// Writes down what `first` and `reader` have, and maps it.
    pub(super) fn take<'r>(&self, first: Vec<u8>, reader: &'r mut (dyn Read + Send)) -> Result<Spooled, Unspooled<'r>> {
        let file = match self.create(first.len()) {
            Ok(file) => file,
            Err(why) => return Err(Unspooled::of(why, first, reader)),
        };
        let (file, written, damage) = fill(file, self.room, first, reader)?;
        match Mapping::of(&file) {
            Ok(mapping) => Ok(Spooled { mapping, damage }),
            Err(error) => Err(Unspooled { why: Why::System(error), bytes: Box::new(Again::new(file, written)), written }),
        }
    }

    /// An empty file, if so many bytes may stand in it.
    fn create(&self, length: usize) -> Result<std::fs::File, Why> {
        if length as u64 > self.room {
            return Err(Why::Bound(self.room));
        }
        let file = match (self.folder, on_disk()) {
            (Some(folder), _) => tempfile::tempfile_in(folder),
            (None, Some(folder)) => tempfile::tempfile_in(folder).or_else(|_| tempfile::tempfile()),
            (None, None) => tempfile::tempfile(),
        };
        file.map_err(Why::System)
    }
}

/// The folder for large temporary files, unless the user names one. `/tmp` often lies in memory, which is what is to be spared.
fn on_disk() -> Option<&'static Path> {
    (cfg!(unix) && std::env::var_os("TMPDIR").is_none()).then(|| Path::new("/var/tmp"))
}

/// Writes all there is to `file`, which is empty; gives it back with the number of bytes in it, and the damage that ended them.
fn fill<'r, F>(
    mut file: F,
    room: u64,
    first: Vec<u8>,
    reader: &'r mut (dyn Read + Send),
) -> Result<(F, u64, Option<io::Error>), Unspooled<'r>>
where
    F: Read + Write + Seek + Send + 'r,
{
    let (mut written, mut chunk, mut damage) = (0, first, None);
    let why = loop {
        if chunk.is_empty() {
            return Ok((file, written, damage));
        }
        if written + chunk.len() as u64 > room {
            break Why::Bound(room);
        }
        if let Err(error) = file.write_all(&chunk) {
            break Why::System(error);
        }
        written += chunk.len() as u64;
        // The first one is as long as what is held.
        chunk.clear();
        chunk.shrink_to(CHUNK);
        match (&mut *reader).take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(_) => {}
            // What came before it is written as well.
            Err(error) if is_damage(&error) => damage = Some(error),
            Err(error) => break Why::Unread(error),
        }
    };
    let again = Again::new(file, written);
    Err(Unspooled { why, bytes: Box::new(again.chain(Cursor::new(chunk)).chain(reader)), written })
}

/// What was written to a file, from its beginning.
struct Again<F> {
    file: F,
    left: u64,
    is_rewound: bool,
}

impl<F> Again<F> {
    fn new(file: F, written: u64) -> Self {
        Self { file, left: written, is_rewound: false }
    }
}

impl<F: Read + Seek> Read for Again<F> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if !self.is_rewound {
            self.file.rewind()?;
            self.is_rewound = true;
        }
        let wanted = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.file.read(&mut out[..wanted])?;
        if count == 0 && wanted > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a temporary file is shorter than what was written to it"));
        }
        self.left -= count as u64;
        Ok(count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A file on a disk that is full after so many bytes.
    struct Full(Cursor<Vec<u8>>, usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.1 - self.0.get_ref().len();
            if room == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.write(&bytes[..bytes.len().min(room)])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Read for Full {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.0.read(out)
        }
    }

    impl Seek for Full {
        fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    fn sample() -> Vec<u8> {
        (0..3 * CHUNK as u32 / 4 + 77).flat_map(u32::to_le_bytes).collect()
    }

    fn all(unspooled: Unspooled<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut reader = unspooled.bytes;
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_written_is_what_is_mapped() {
        let sample = sample();
        for room in [sample.len() as u64, u64::MAX] {
            for first in [1, 1000, CHUNK, sample.len()] {
                let spooled = Spool { folder: None, room }.take(sample[..first].to_vec(), &mut &sample[first..]).ok().unwrap();
                assert!(spooled.mapping.bytes() == sample && spooled.damage.is_none(), "{room} {first}");
            }
        }
    }

    #[test]
    fn beyond_the_bound_no_byte_is_lost() {
        let sample = sample();
        for room in [0, 999, 1000, CHUNK, 2 * CHUNK, sample.len() - 1] {
            let spool = Spool { folder: None, room: room as u64 };
            let mut rest = &sample[1000..];
            let unspooled = spool.take(sample[..1000].to_vec(), &mut rest).err().unwrap();
            assert!(matches!(unspooled.why, Why::Bound(bound) if bound == room as u64), "{room}: {:?}", unspooled.why);
            assert!(all(unspooled) == sample, "{room}");
        }
    }

    #[test]
    fn a_full_disk_or_none_loses_no_byte() {
        let sample = sample();
        for room in [0, 1, 999, 1000, CHUNK + 5, sample.len() - 1] {
            let full = Full(Cursor::default(), room);
            let mut rest = &sample[1000..];
            let unspooled = fill(full, u64::MAX, sample[..1000].to_vec(), &mut rest).err().unwrap();
            assert!(matches!(&unspooled.why, Why::System(error) if error.kind() == io::ErrorKind::StorageFull), "{room}");
            assert!(all(unspooled) == sample, "{room}");
        }
        let spool = Spool { folder: Some(Path::new("/there/is/no/such/folder")), room: u64::MAX };
        let mut rest = &sample[1000..];
        let unspooled = spool.take(sample[..1000].to_vec(), &mut rest).err().unwrap();
        assert!(matches!(&unspooled.why, Why::System(error) if error.kind() == io::ErrorKind::NotFound), "{:?}", unspooled.why);
        assert!(all(unspooled) == sample);
    }

    /// Fails wherever it is read.
    struct Broken(io::ErrorKind);

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_file_ends_where_it_is_damaged_and_not_where_it_cannot_be_read() {
        let sample = sample();
        let spool = Spool { folder: None, room: u64::MAX };
        for kind in [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof] {
            let spooled = spool.take(sample[..1000].to_vec(), &mut sample[1000..].chain(Broken(kind))).ok().unwrap();
            assert!(spooled.mapping.bytes() == sample && spooled.damage.unwrap().kind() == kind);
        }
        let mut reader = sample[1000..].chain(Broken(io::ErrorKind::FileTooLarge));
        let mut unspooled = spool.take(sample[..1000].to_vec(), &mut reader).err().unwrap();
        assert!(matches!(unspooled.why, Why::Unread(_)), "{:?}", unspooled.why);
        let mut bytes = Vec::new();
        assert_eq!(unspooled.bytes.read_to_end(&mut bytes).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(bytes == sample);
    }
}
