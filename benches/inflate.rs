//! Reads the layers of an image as a scan does, and throws away what they hold: what reading alone costs.
//!
//! Usage: cargo run --release --example inflate -- IMAGE [JOBS]

use std::collections::BTreeSet;
use std::io::{self, Read, Write as _};

use layersift::layer::decode::{self, Decoded};
use layersift::source::{self, OpenOptions, Opened, Reference, Source};
use rayon::prelude::*;

/// As large as the pieces that a scan reads.
const BUFFER: usize = 1 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let target = arguments.first().ok_or("usage: inflate IMAGE [JOBS]")?;
    let jobs = arguments.get(1).map_or(Ok(0), |jobs| jobs.parse())?;
    let Opened::Random(source) = source::open(&Reference::parse(target)?, &OpenOptions::default())? else {
        return Err("this image passes by once; name one on disk".into());
    };
    let contents = source.contents()?;
    let layers: BTreeSet<_> = contents.images.iter().flat_map(|image| &image.layers).filter_map(|layer| layer.blob.clone()).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs).build()?;
    let sizes: Vec<io::Result<u64>> = pool.install(|| layers.par_iter().map(|layer| read(source.as_ref(), layer)).collect());
    writeln!(io::stdout(), "{} bytes in {} layers", sizes.into_iter().sum::<io::Result<u64>>()?, layers.len())?;
    Ok(())
}

fn read(source: &dyn Source, layer: &source::BlobKey) -> io::Result<u64> {
    match decode::decode(source.open(layer).map_err(io::Error::other)?)? {
        (_, Decoded::Mapped(bytes)) => Ok(touch(bytes)),
        (_, Decoded::Stream(mut decoder)) => {
            let (mut buffer, mut size) = (vec![0; BUFFER], 0);
            loop {
                match decoder.read(&mut buffer)? {
                    0 => return Ok(size),
                    read => size += read as u64,
                }
            }
        }
    }
}

/// Reads every page of what is mapped.
fn touch(bytes: &[u8]) -> u64 {
    const PAGE: usize = 4096;
    std::hint::black_box(bytes.iter().step_by(PAGE).map(|&byte| u64::from(byte)).sum::<u64>());
    bytes.len() as u64
}
