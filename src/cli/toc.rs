//! `layersift toc`: which files layers in a registry say that they have, without fetching the layers.

use std::fmt::Write as _;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::arguments::TocArguments;
use super::error::{CliError, source_hint};
use super::output::Output;
use super::{FATAL, clean, complain, note};
use crate::finding::Scan;
use crate::report::{Exposure, Redactor};
use crate::rule::{RuleSet, check};
use crate::source::registry::toc::{Entry, LayerTable, Tables, tables};
use crate::source::registry::{ImageName, RegistryOptions};
use crate::source::{Lookup, Reference, SourceError};

/// Exit code if the files of some layer are not known.
const INCOMPLETE: u8 = 3;

/// Names of files that often hold secrets. Their content is what counts: only a scan knows it.
const TELLING: [&str; 27] = [
    "**/.env",
    "**/.env.*",
    "**/*.env",
    "**/id_{rsa,dsa,ecdsa,ed25519}",
    "**/*.{pem,key,p12,pfx,jks,keystore,kdbx,ppk,ovpn,tfstate,tfvars}",
    "**/.aws/credentials",
    "**/.azure/*.json",
    "**/.config/gcloud/**",
    "**/*credentials*.json",
    "**/credentials",
    "**/.docker/config.json",
    "**/.dockercfg",
    "**/.kube/config",
    "**/kubeconfig",
    "**/.netrc",
    "**/_netrc",
    "**/.npmrc",
    "**/.pypirc",
    "**/.pgpass",
    "**/.my.cnf",
    "**/.git-credentials",
    "**/.htpasswd",
    "**/.vault-token",
    "**/.{bash,zsh,sh}_history",
    "**/secrets.{yml,yaml,json,toml}",
    "**/master.key",
    "**/wp-config.php",
];

pub(super) fn run(arguments: &TocArguments) -> Result<u8, CliError> {
    let (mut names, mut codes) = (Vec::new(), Vec::new());
    for text in &arguments.names {
        match name(text) {
            Ok(name) => names.push(name),
            Err(error) => {
                complain(&error.to_string(), source_hint(&error).as_deref());
                codes.push(FATAL);
            }
        }
    }
    let references: Vec<Reference> = names.iter().cloned().map(Reference::Registry).collect();
    let options = arguments.registry.options(&references)?;
    let marks = Marks::new();
    for name in &names {
        codes.push(print(name, arguments, &options, &marks)?);
    }
    // What could not be opened counts more than what is not known.
    let has = |code: u8| codes.contains(&code).then_some(code);
    Ok(has(FATAL).or(has(INCOMPLETE)).unwrap_or(0))
}

/// Prints the tables of one image; the exit code that it leads to.
fn print(name: &ImageName, arguments: &TocArguments, options: &RegistryOptions, marks: &Marks) -> Result<u8, CliError> {
    let tables = match tables(name, arguments.platform.clone(), options) {
        Ok(tables) => tables,
        Err(error) => {
            complain(&error.to_string(), source_hint(&error).as_deref());
            return Ok(FATAL);
        }
    };
    tables.notes.iter().for_each(|text| note("warning", &clean(text)));
    tables.skipped.iter().for_each(|skip| note("warning", &clean(&format!("{}: {}", skip.place, skip.detail))));
    let text = marks.text(name, &tables, arguments.telling);
    Output::Stdout.write(|out| out.write_all(text.as_bytes()))?;
    let is_known = tables.images.iter().flat_map(|image| &image.layers).all(|layer| layer.table.is_ok());
    Ok(if is_known && tables.skipped.is_empty() { 0 } else { INCOMPLETE })
}

/// An image in a registry; nothing else has tables that could be asked for.
fn name(text: &str) -> Result<ImageName, SourceError> {
    match Lookup::Registry.find(text, &mut Vec::new())? {
        Reference::Registry(name) => Ok(name),
        other => Err(SourceError::NotAnImage {
            path: other.to_string().into(),
            problem: "only layers in a registry are listed without being read: `layersift scan` reads others".to_owned(),
        }),
    }
}

/// Knows names that tell something.
struct Marks {
    rules: RuleSet,
    telling: GlobSet,
}

impl Marks {
    fn new() -> Self {
        let mut telling = GlobSetBuilder::new();
        for glob in TELLING.iter().filter_map(|glob| GlobBuilder::new(glob).literal_separator(true).build().ok()) {
            telling.add(glob);
        }
        Self { rules: RuleSet::builtin(), telling: telling.build().unwrap_or_default() }
    }

    /// Whether an entry's name tells that a secret may be in the file.
    fn is_telling(&self, entry: &Entry) -> bool {
        let path = format!("/{}", entry.name.trim_start_matches("./").trim_start_matches('/'));
        let mut has_rule = false;
        self.rules.file_rules_for(Some(path.as_bytes()), &[], |_| has_rule = true);
        entry.kind == "reg" && (has_rule || self.telling.is_match(&path))
    }

    /// The listing. What the rules find in a name is redacted.
    fn text(&self, name: &ImageName, tables: &Tables, only_telling: bool) -> String {
        let mut text = String::new();
        for image in &tables.images {
            let platform = image.platform.as_ref().map(|platform| format!(" ({platform})")).unwrap_or_default();
            let _ = writeln!(text, "{name}{platform}");
            for (number, layer) in image.layers.iter().enumerate() {
                self.layer(number, layer, only_telling, &mut text);
            }
        }
        let found = check::matches(&self.rules, text.as_bytes(), None);
        let secrets: Vec<Vec<u8>> = found.iter().map(|candidate| candidate.secret.expose().to_vec()).collect();
        let redactor = Redactor::with(&Scan::new(""), &secrets, Exposure::Redacted);
        redactor.text(&text).lines().map(|line| format!("{}\n", clean(line))).collect()
    }

    fn layer(&self, number: usize, layer: &LayerTable, only_telling: bool, text: &mut String) {
        let digest = layer.digest.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string);
        let size = layer.size.map_or_else(|| "of unknown size".to_owned(), |size| format!("of {size} bytes"));
        let table = match &layer.table {
            Ok(table) => table,
            Err(why) => {
                let _ = writeln!(text, "  layer {number} {digest} {size}: {why}; a scan reads it");
                return;
            }
        };
        let (form, files, read) = (table.form, table.entries.len(), table.read);
        let _ = writeln!(text, "  layer {number} {digest} {size}: {form}, {files} entries, {read} bytes read");
        for entry in &table.entries {
            let is_telling = self.is_telling(entry);
            if is_telling || !only_telling {
                let mark = if is_telling { '!' } else { ' ' };
                // A line break would make two entries of one.
                let shown = entry.to_string().replace(['\n', '\r'], "\u{fffd}");
                let _ = writeln!(text, "  {mark} {:<8} {:>12}  {shown}", entry.kind, entry.size);
            }
        }
    }
}
