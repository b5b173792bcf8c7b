//! The layers of an image as a stack, the newest on top and the config above it.

use super::super::{Context, place, said, words};
use super::lanes::{self, Lanes, MAX_LANES};
use super::name;
use crate::finding::{Finding, ImageFacts, Scan};

pub(super) struct ImageView {
    pub(super) name: String,
    pub(super) facts: String,
    /// Empty for a folder: there is no stack to draw.
    pub(super) rows: Vec<Row>,
    pub(super) lanes: Lanes,
}

pub(super) struct Row {
    pub(super) label: String,
    pub(super) instruction: String,
    pub(super) title: String,
    pub(super) size: String,
    /// Of the largest layer, in percent.
    pub(super) share: Option<u64>,
    pub(super) secrets: usize,
    pub(super) secrets_words: String,
}

/// The images, with their findings numbered as on the page.
pub(super) fn images(scan: &Scan, context: &Context, listed: &[&Finding]) -> Vec<ImageView> {
    let mut by_image: Vec<Vec<(usize, &Finding)>> = vec![Vec::new(); scan.images.len()];
    for (index, finding) in listed.iter().enumerate() {
        if let Some(findings) = by_image.get_mut(finding.image) {
            findings.push((index + 1, finding));
        }
    }
    scan.images.iter().zip(by_image).map(|(image, findings)| ImageView::new(scan, context, image, &findings)).collect()
}

impl ImageView {
    fn new(scan: &Scan, context: &Context, image: &ImageFacts, findings: &[(usize, &Finding)]) -> Self {
        let redactor = &context.redactor;
        // Folders and lone layers have neither config nor history.
        let is_stack = image.digest.is_some() || image.layers.len() > 1;
        let facts = [
            image.name.as_ref().map(|_| place::clean(redactor, &image.source)),
            image.digest.as_ref().map(ToString::to_string),
            image.platform.as_ref().map(|platform| place::clean(redactor, &platform.to_string())),
            is_stack.then(|| words::count(image.layers.len() as u64, "layer", "layers")),
            image.layers.iter().map(|layer| layer.size).sum::<Option<u64>>().filter(|size| *size > 0).map(words::size),
            said::base(redactor, image),
        ];
        let largest = image.layers.iter().filter_map(|layer| layer.size).max().unwrap_or_default().max(1);
        let mut secrets = vec![0; image.layers.len()];
        let mut loose = 0;
        for (_, finding) in findings {
            match lanes::row(finding).and_then(|layer| secrets.get_mut(layer)) {
                Some(count) => *count += 1,
                None => loose += 1,
            }
        }
        let row = |label: String, instruction: String, size: Option<u64>, secrets: usize| Row {
            title: format!("{label}: {instruction}"),
            label,
            instruction,
            size: size.map(words::size).unwrap_or_default(),
            share: size.map(|size| size.saturating_mul(100) / largest),
            secrets,
            secrets_words: words::count(secrets as u64, "secret", "secrets"),
        };
        let mut rows = Vec::new();
        if is_stack {
            rows.push(row("config".to_owned(), "the image's config and history".to_owned(), None, loose));
            rows.extend(image.layers.iter().zip(secrets).rev().map(|(layer, secrets)| {
                let instruction = place::instruction(redactor, image, layer.index, 400).unwrap_or_default();
                row(format!("layer {}", layer.index), instruction, layer.size, secrets)
            }));
        }
        let drawn = if is_stack { findings } else { &[] };
        Self {
            name: name(context, image),
            facts: facts.into_iter().flatten().collect::<Vec<_>>().join(" · "),
            rows,
            lanes: Lanes::new(scan, context, image.layers.len(), drawn, MAX_LANES),
        }
    }
}
