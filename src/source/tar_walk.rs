//! The members of an image archive, one after the other: names, kinds, links, and where the contents are.
//!
//! Works on a slice (contents are stepped over) and on a stream alike. Headers are parsed by the `tar` crate; the walk is our own because
//! names and PAX records are bounded here, because a lone block of zeros does not end it (nothing may hide behind one), and because a
//! damaged archive still gives all members before the damage.

use std::io::{self, Read};

/// Most bytes of a long name or of PAX records.
const MAX_EXTENSION: u64 = 1 << 20;

const BLOCK: u64 = 512;

/// A reader that can step over bytes.
pub(super) trait Skip: Read {
    /// Passes over `count` bytes, or as many as there are; how many there were.
    fn skip(&mut self, count: u64) -> io::Result<u64>;
}

impl Skip for &[u8] {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        let count = count.min(self.len() as u64);
        *self = &self[count as usize..];
        Ok(count)
    }
}

/// A stream, whose bytes have to be read to be passed over.
pub(super) struct Streamed<R>(pub(super) R);

impl<R: Read> Read for Streamed<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}

impl<R: Read> Skip for Streamed<R> {
    fn skip(&mut self, count: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.0).take(count), &mut io::sink())
    }
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Has contents.
    File,
    /// Leads to a name beside it.
    Symlink(String),
    /// Leads to a name from the root.
    Hardlink(String),
    /// Nothing to read: a directory, a device.
    Other,
}

/// A member of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    /// As written; bytes that are not UTF-8 are replaced.
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Where its contents begin.
    pub(super) position: u64,
    /// Of its contents, as the header says.
    pub(super) size: u64,
}

/// Why a walk ended before the end.
#[derive(Debug)]
pub(super) enum Cut {
    /// The archive ends within a member.
    Truncated,
    /// This is no header; says why, and where it stands.
    Malformed(&'static str, u64),
    /// The stream is damaged or cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Cut {
    fn from(error: io::Error) -> Self {
        Cut::Io(error)
    }
}

/// What extension headers say of the next member.
#[derive(Default)]
struct Extensions {
    name: Option<String>,
    link: Option<String>,
    size: Option<u64>,
}

/// A walk over the members.
pub(super) struct Walk<R> {
    reader: R,
    position: u64,
    /// Of the current member's contents.
    left: u64,
    padding: u64,
}

impl<R: Skip> Walk<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, position: 0, left: 0, padding: 0 }
    }

    /// The next member; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Member>, Cut> {
        let mut extensions = Extensions::default();
        let mut expects_member = false;
        loop {
            self.finish_member()?;
            let Some(header) = self.header()? else {
                return if expects_member { Err(Cut::Truncated) } else { Ok(None) };
            };
            let kind = header.entry_type();
            let extends =
                kind.is_gnu_longname() || kind.is_gnu_longlink() || kind.is_pax_local_extensions() || kind.is_pax_global_extensions();
            let own_size = header.entry_size().map_err(|_| self.malformed("its size is not a number"))?;
            let size = if extends { own_size } else { extensions.size.unwrap_or(own_size) };
            self.expect(size)?;
            if !extends {
                return self.member(&header, extensions, size).map(Some);
            }
            expects_member = true;
            let body = self.extension()?;
            match () {
                () if kind.is_gnu_longname() => extensions.name = Some(until_nul(&body)),
                () if kind.is_gnu_longlink() => extensions.link = Some(until_nul(&body)),
                () if kind.is_pax_local_extensions() => self.pax(&body, &mut extensions)?,
                () => {}
            }
        }
    }

    /// The current member's contents; what is not read is stepped over. Ends early where the archive does.
    pub(super) fn body(&mut self) -> Body<'_, R> {
        Body(self)
    }

    /// The stream below, wherever it stands.
    pub(super) fn into_inner(self) -> R {
        self.reader
    }

    fn malformed(&self, problem: &'static str) -> Cut {
        Cut::Malformed(problem, self.position.saturating_sub(BLOCK))
    }

    fn expect(&mut self, size: u64) -> Result<(), Cut> {
        let padding = (BLOCK - size % BLOCK) % BLOCK;
        let end = self.position.checked_add(size).and_then(|end| end.checked_add(padding));
        end.ok_or_else(|| self.malformed("its size is beyond all bounds"))?;
        (self.left, self.padding) = (size, padding);
        Ok(())
    }

    fn finish_member(&mut self) -> Result<(), Cut> {
        let contents = self.reader.skip(self.left)?;
        self.position += contents;
        if contents < self.left {
            return Err(Cut::Truncated);
        }
        // Missing padding after the very last byte loses nothing.
        self.position += self.reader.skip(self.padding)?;
        (self.left, self.padding) = (0, 0);
        Ok(())
    }

    /// The next block that is not all zeros.
    fn header(&mut self) -> Result<Option<tar::Header>, Cut> {
        let mut header = tar::Header::new_old();
        loop {
            let read = read_full(&mut self.reader, header.as_mut_bytes())?;
            self.position += read as u64;
            let is_blank = header.as_bytes()[..read].iter().all(|byte| *byte == 0);
            match read {
                512 if is_blank => {}
                512 => break,
                _ if is_blank => return Ok(None),
                _ => return Err(Cut::Truncated),
            }
        }
        // The checksum's own field counts as spaces.
        let bytes = header.as_bytes().iter().enumerate();
        let sum: u32 = bytes.map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u32::from(*byte) }).sum();
        if header.cksum().is_ok_and(|written| written == sum) { Ok(Some(header)) } else { Err(self.malformed("its checksum is wrong")) }
    }

    fn member(&mut self, header: &tar::Header, extensions: Extensions, size: u64) -> Result<Member, Cut> {
        let kind = header.entry_type();
        if kind.is_gnu_sparse() {
            self.skip_sparse_map(header)?;
        }
        let link = || extensions.link.unwrap_or_else(|| lossy(header.link_name_bytes().as_deref().unwrap_or_default()));
        let name = extensions.name.unwrap_or_else(|| lossy(&header.path_bytes()));
        let kind = match kind {
            tar::EntryType::Symlink => Kind::Symlink(link()),
            tar::EntryType::Link => Kind::Hardlink(link()),
            tar::EntryType::Directory | tar::EntryType::Char | tar::EntryType::Block | tar::EntryType::Fifo => Kind::Other,
            // Old archives have directories that only end in a slash. Types that nobody knows are files (POSIX, pax, typeflag).
            _ if name.ends_with('/') && size == 0 => Kind::Other,
            _ => Kind::File,
        };
        Ok(Member { name, kind, position: self.position, size })
    }

    /// Old GNU sparse members: further blocks of the map stand between the header and the contents.
    fn skip_sparse_map(&mut self, header: &tar::Header) -> Result<(), Cut> {
        let mut goes_on = header.as_gnu().is_some_and(tar::GnuHeader::is_extended);
        while goes_on {
            let mut block = tar::GnuExtSparseHeader::new();
            let read = read_full(&mut self.reader, block.as_mut_bytes())?;
            self.position += read as u64;
            if read < 512 {
                return Err(Cut::Truncated);
            }
            goes_on = block.is_extended();
        }
        Ok(())
    }

    fn extension(&mut self) -> Result<Vec<u8>, Cut> {
        if self.left > MAX_EXTENSION {
            return Err(self.malformed("its name or attributes are longer than 1 MiB"));
        }
        let expected = self.left;
        let mut body = Vec::new();
        Body(self).read_to_end(&mut body)?;
        if (body.len() as u64) < expected { Err(Cut::Truncated) } else { Ok(body) }
    }

    fn pax(&self, body: &[u8], extensions: &mut Extensions) -> Result<(), Cut> {
        for record in tar::PaxExtensions::new(body) {
            let record = record.map_err(|_| self.malformed("its attributes do not parse"))?;
            match record.key_bytes() {
                b"path" => extensions.name = Some(lossy(record.value_bytes())),
                b"linkpath" => extensions.link = Some(lossy(record.value_bytes())),
                b"size" => {
                    let size = record.value().ok().and_then(|text| text.parse().ok());
                    extensions.size = Some(size.ok_or_else(|| self.malformed("its size is not a number"))?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A member's contents.
pub(super) struct Body<'a, R>(&'a mut Walk<R>);

impl<R: Read> Read for Body<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let room = (out.len() as u64).min(self.0.left) as usize;
        if room == 0 {
            return Ok(0);
        }
        let read = self.0.reader.read(&mut out[..room])?;
        self.0.left -= read as u64;
        self.0.position += read as u64;
        Ok(read)
    }
}

fn read_full(reader: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < out.len() {
        match reader.read(&mut out[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn until_nul(bytes: &[u8]) -> String {
    lossy(bytes.split(|byte| *byte == 0).next().unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, data) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            builder.append_data(&mut header, name, *data).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// Names and contents of the members, read from a slice and from a stream; and whether the walk was cut.
    fn walk(bytes: &[u8]) -> (Vec<(String, usize)>, bool) {
        let mut members = Vec::new();
        let mut walk = Walk::new(bytes);
        let cut = loop {
            match walk.next() {
                Ok(Some(member)) => members.push((member.name, member.size as usize)),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let mut streamed = Vec::new();
        let mut walk = Walk::new(Streamed(bytes));
        while let Ok(Some(member)) = walk.next() {
            let mut body = Vec::new();
            walk.body().read_to_end(&mut body).unwrap();
            assert!(bytes[member.position as usize..].starts_with(&body));
            streamed.push((member.name, member.size as usize));
        }
        assert_eq!(streamed, members);
        (members, cut)
    }

    #[test]
    fn long_names_and_odd_sizes() {
        let long = "d/".repeat(200) + "x";
        let bytes = archive(&[("a", b"1"), (&long, &[7; 1_000]), ("empty", b"")]);
        assert_eq!(walk(&bytes), (vec![("a".into(), 1), (long, 1_000), ("empty".into(), 0)], false));
    }

    #[test]
    fn zeros_do_not_end_the_walk_and_garbage_does() {
        let mut bytes = archive(&[("a", b"1")]);
        bytes.extend(archive(&[("b", b"2")]));
        assert_eq!(walk(&bytes), (vec![("a".into(), 1), ("b".into(), 1)], false));
        bytes.extend([7; 600]);
        assert_eq!(walk(&bytes), (vec![("a".into(), 1), ("b".into(), 1)], true));
    }

    #[test]
    fn a_cut_archive_gives_what_it_has() {
        let bytes = archive(&[("a", b"1"), ("b", &[1; 2_000])]);
        assert_eq!(walk(&bytes[..2_000]), (vec![("a".into(), 1), ("b".into(), 2_000)], true));
        assert_eq!(walk(&bytes[..1_100]), (vec![("a".into(), 1)], true));
        assert_eq!(walk(&bytes[..1_024]), (vec![("a".into(), 1)], false), "no end mark: common, and nothing is lost");
    }

    #[test]
    fn the_size_of_the_attributes_wins() {
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_pax_extensions([("size", b"3".as_slice()), ("path", b"renamed")]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_path("x").unwrap();
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, io::empty()).unwrap();
        let mut bytes = builder.into_inner().unwrap();
        bytes.truncate(bytes.len() - 1_024);
        bytes.extend(b"abc");
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes.extend(archive(&[("after", b"")]));
        assert_eq!(walk(&bytes), (vec![("renamed".into(), 3), ("after".into(), 0)], false));
    }
}
