//! A tar archive in a file of a layer.

use super::nested;
use crate::archives::{gzip, tar, zip};

pub(super) fn run(data: &[u8]) {
    nested::check("f.tar", data);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let text = nested::text("tar");
    let files: [(&str, &[u8]); 2] = [("a.env", &text), ("b/c", &text)];
    vec![tar(&files), tar(&[("a.zip", &zip(&files)), ("b.gz", &gzip(&text)), ("c.tar", &tar(&files))]), super::layer::records()]
}
