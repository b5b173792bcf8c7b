//! Files and folders that are for their owner only. The one place that knows what this means on which system.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// A new file to be written; there must be none at `path`.
pub(crate) fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes folders, as far as they are missing.
pub(crate) fn folders() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Whether users other than the owner can write. Elsewhere than on Unix a user's own folders are theirs alone.
pub(crate) fn is_shared(meta: &Metadata) -> bool {
    #[cfg(unix)]
    return std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o022 != 0;
    #[cfg(not(unix))]
    {
        let _ = meta;
        false
    }
}
