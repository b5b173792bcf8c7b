//! Weighs features: a logistic sum whose weights `train.py` fits and keeps in `weights.tsv`.

use std::sync::OnceLock;

use super::features::{COUNT, Feature, Features};
use crate::finding::{Confidence, Score, ScoreReason, two_places};

/// A line a feature: its words, a tab, its weight. `bias`, `possible` and `likely` are the constant and the two thresholds.
const WEIGHTS: &str = include_str!("weights.tsv");

/// Most features that are named as reasons.
const REASONS: usize = 3;

struct Model {
    weights: [f32; COUNT],
    bias: f32,
    possible: f32,
    likely: f32,
}

/// What the scorer makes of a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// How sure it is, from 0 to 1.
    pub probability: f32,
    /// The same as a word; none if the value is not worth mentioning.
    pub confidence: Option<Confidence>,
    /// The features that weigh most, for and against, the heaviest first.
    pub reasons: Vec<(Feature, f32)>,
}

impl Judgement {
    /// As explanations give it.
    pub(in crate::detect) fn score(self) -> Score {
        let reasons =
            self.reasons.into_iter().map(|(feature, weight)| ScoreReason { feature: feature.words().into(), weight: two_places(weight) });
        Score { probability: two_places(self.probability), reasons: reasons.collect() }
    }
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let number = |words: &str| {
            let line = WEIGHTS.lines().find_map(|line| line.split_once('\t').filter(|(name, _)| *name == words));
            line.and_then(|(_, number)| number.parse().ok()).unwrap_or(0.0)
        };
        let mut weights = [0.0; COUNT];
        for feature in Feature::ALL {
            weights[*feature as usize] = number(feature.words());
        }
        Model { weights, bias: number("bias"), possible: number("possible"), likely: number("likely") }
    })
}

/// The confidence alone: what a scan asks for every value.
pub(super) fn confidence(features: &Features) -> Option<Confidence> {
    let model = model();
    model.confidence(model.probability(features))
}

/// The confidence with its reasons: what a person asks.
pub(super) fn judge(features: &Features) -> Judgement {
    let model = model();
    let probability = model.probability(features);
    let mut reasons: Vec<(Feature, f32)> =
        Feature::ALL.iter().map(|feature| (*feature, features.0[*feature as usize] * model.weights[*feature as usize])).collect();
    reasons.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
    reasons.truncate(REASONS);
    Judgement { probability, confidence: model.confidence(probability), reasons }
}

impl Model {
    fn probability(&self, features: &Features) -> f32 {
        let sum: f32 = self.bias + features.0.iter().zip(self.weights).map(|(feature, weight)| feature * weight).sum::<f32>();
        1.0 / (1.0 + (-sum).exp())
    }

    fn confidence(&self, probability: f32) -> Option<Confidence> {
        match probability {
            likely if likely >= self.likely => Some(Confidence::Likely),
            possible if possible >= self.possible => Some(Confidence::Possible),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_feature_has_its_weight_and_every_weight_its_feature() {
        let names: Vec<&str> =
            WEIGHTS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once('\t')?.0)).collect();
        for feature in Feature::ALL {
            assert_eq!(names.iter().filter(|name| **name == feature.words()).count(), 1, "{feature:?}");
        }
        assert_eq!(names.len(), COUNT + 3);
        let model = model();
        assert!(0.0 < model.possible && model.possible < model.likely && model.likely < 1.0);
    }
}
