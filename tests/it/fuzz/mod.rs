//! What a fuzzer calls: one file for each parser, with what has to hold whatever bytes it is given, and sound files for it to begin with.
//!
//! `fuzz/` makes a program of each target for `cargo fuzz`, and [`smoke`](crate::smoke) runs each of them briefly with all other tests. So the files here use nothing of the tests but
//! `archives.rs`. A target is a file here, two lines below, and a program of one line in `fuzz/src/bin/`.

mod ar;
mod asar;
mod bolt;
mod compressed;
mod cpio;
mod decode;
mod detect;
mod dockerfile;
mod engines;
mod images;
mod inflate;
mod input;
mod iso;
mod layer;
mod nested;
mod object;
mod oci;
mod pack;
mod packages;
mod reference;
mod report;
mod rpm;
mod rpmdb;
mod rules;
mod seven_zip;
mod sqlite;
mod squashfs;
mod strings;
mod tar;
mod zip;

/// A parser, and what has to hold for it.
pub(crate) struct Target {
    /// What it is called.
    pub(crate) name: &'static str,
    /// Panics if something does not hold for these bytes.
    pub(crate) run: fn(&[u8]),
    /// Bytes to begin with.
    pub(crate) seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! target {
    ($module:ident) => {
        Target { name: stringify!($module), run: $module::run, seeds: $module::seeds }
    };
}

/// All of them.
pub(crate) const TARGETS: &[Target] = &[
    target!(ar),
    target!(asar),
    target!(bolt),
    target!(compressed),
    target!(cpio),
    target!(decode),
    target!(detect),
    target!(dockerfile),
    target!(engines),
    target!(images),
    target!(inflate),
    target!(iso),
    target!(layer),
    target!(nested),
    target!(object),
    target!(oci),
    target!(pack),
    target!(packages),
    target!(reference),
    target!(report),
    target!(rpm),
    target!(rpmdb),
    target!(rules),
    target!(seven_zip),
    target!(sqlite),
    target!(squashfs),
    target!(strings),
    target!(tar),
    target!(zip),
];

/// The target of a name.
pub(crate) fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target {name}"))
}
