//! The report for a person at a terminal: what was found where, whether it can still be read, what to do, and what was not read.
//!
//! Colour only repeats what the words say. All text of the image is redacted, sanitised and cut before it gets here, by
//! [`super::place`].

mod ink;
mod list;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, Write};

pub(super) use self::ink::Ink;
use self::list::{Group, groups};
use super::{Context, Format, said};
use crate::finding::{Finding, ImageFacts, Scan};

/// The format.
pub(super) struct Table;

impl Format for Table {
    fn write(&self, scan: &Scan, context: &Context, out: &mut dyn io::Write) -> io::Result<()> {
        let page = Page::new(scan, context);
        let mut out = io::BufWriter::with_capacity(1 << 16, out);
        for (index, image) in scan.images.iter().enumerate() {
            page.image(&mut out, index, image)?;
        }
        page.homeless(&mut out)?;
        page.remediations(&mut out)?;
        page.dockerfile(&mut out)?;
        page.suppressed(&mut out)?;
        page.fixed(&mut out)?;
        page.counts(&mut out)?;
        page.coverage(&mut out)?;
        out.flush()
    }
}

/// What findings of the same secret share. Of secrets that are withheld, only the id tells one from another.
fn same_secret(finding: &Finding) -> (&str, &[u8]) {
    (&finding.secret_id, finding.secret.expose())
}

/// What all parts of the report need.
struct Page<'a> {
    scan: &'a Scan,
    context: &'a Context,
    ink: Ink,
    groups: Vec<Group<'a>>,
    /// The numbers of the findings of each secret.
    numbers: HashMap<(&'a str, &'a [u8]), Vec<usize>>,
    /// The number of each finding, by its image and id.
    by_id: HashMap<(usize, &'a str), usize>,
}

impl<'a> Page<'a> {
    fn new(scan: &'a Scan, context: &'a Context) -> Self {
        let groups = groups(scan);
        let mut numbers: HashMap<_, Vec<usize>> = HashMap::new();
        for (number, finding) in groups.iter().flat_map(Group::numbered) {
            numbers.entry(same_secret(finding)).or_default().push(number);
        }
        let by_id = groups
            .iter()
            .flat_map(|group| group.numbered())
            .map(|(number, finding)| ((finding.image, finding.id.as_str()), number))
            .collect();
        Self { scan, context, ink: Ink(context.colour), groups, numbers, by_id }
    }

    /// Findings that are not suppressed, in the order in which they are listed.
    fn listed(&self) -> impl Iterator<Item = &'a Finding> + '_ {
        self.groups.iter().flat_map(Group::numbered).map(|(_, finding)| finding)
    }

    fn image(&self, out: &mut dyn Write, index: usize, image: &ImageFacts) -> io::Result<()> {
        writeln!(out, "{}", self.ink.bold(&self.title(image)))?;
        if let Some(base) = said::base(&self.context.redactor, image) {
            writeln!(out, "  {base}")?;
        }
        let mut any = false;
        for group in self.groups.iter().filter(|group| group.image == index) {
            any = true;
            self.group(out, image, group)?;
        }
        if !any {
            writeln!(out, "  no findings")?;
        }
        writeln!(out)
    }

    /// Findings in what a source holds besides its images, if it holds no image at all.
    fn homeless(&self, out: &mut dyn Write) -> io::Result<()> {
        let nothing = ImageFacts::default();
        let homeless: Vec<&Group<'a>> = self.groups.iter().filter(|group| group.image >= self.scan.images.len()).collect();
        if homeless.is_empty() {
            return Ok(());
        }
        writeln!(out, "{}", self.ink.bold("in no image"))?;
        for group in homeless {
            self.group(out, &nothing, group)?;
        }
        writeln!(out)
    }
}
