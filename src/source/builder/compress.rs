//! Compresses what a builder made.

use std::io::{self, Write as _};

use crate::layer::decode::Compression;

/// `bytes`, compressed. Equal input gives equal output.
pub fn compress(bytes: &[u8], compression: Compression) -> io::Result<Vec<u8>> {
    match compression {
        Compression::None => Ok(bytes.to_vec()),
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Compression::Zstd => zstd::encode_all(bytes, 1),
        Compression::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Compression::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        Compression::Lzma => {
            let stream = liblzma::stream::Stream::new_lzma_encoder(&liblzma::stream::LzmaOptions::new_preset(1)?)?;
            let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
            encoder.write_all(bytes)?;
            encoder.finish()
        }
        // No image is made so, and no encoder of them is here.
        Compression::Lz4 | Compression::Brotli => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_sniffed() {
        for compression in [Compression::None, Compression::Gzip, Compression::Zstd, Compression::Xz, Compression::Bzip2, Compression::Lzma]
        {
            assert_eq!(Compression::sniff(&compress(b"some bytes", compression).unwrap()), compression);
        }
    }
}
