//! Lays the steps of an image's history beside the instructions of a stage.
//!
//! Both are in the order of the build, so the best match in order is sought (as Needleman and Wunsch align sequences), scored by kind and
//! words. Steps of the base image come first and cost nothing; steps and instructions left out between others do. Integers only, and ties
//! are broken by a fixed order, so that equal input gives equal matches.

use std::collections::BTreeSet;

use super::parse::flags;
use super::{Body, Dockerfile, Instruction, Kind, MAX_INSTRUCTIONS, Stage, Step, pairs};
use crate::finding::{Certainty, StepFacts};

/// Two texts of the same words.
const SAME: i32 = 1_000;
/// From here on an instruction is the one.
const EXACT: i32 = 800;
/// Taken off every pair: of two instructions alike in nothing but the kind it leaves less than leaving both out costs.
const PAIRING: i32 = 200;
/// What it costs to leave out a step between others, or an instruction.
const GAP: i32 = 250;
/// The same for instructions that some builders write no step for.
const QUIET_GAP: i32 = 50;
/// Below this a command without its keyword is no `RUN` of this file.
const BARE_COMMAND: i32 = 500;
/// Most words of a text that are compared.
const MAX_WORDS: usize = 256;

/// What made a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// The instruction with this index into [`Alignment::instructions`].
    Instruction(usize, Certainty),
    /// The base image.
    Base,
    /// Nothing in the Dockerfile.
    Nothing,
}

/// The steps of one image beside the instructions of one stage.
#[derive(Debug)]
pub struct Alignment<'d> {
    /// Of the stage, after those of the stages that it starts from.
    pub instructions: Vec<&'d Instruction>,
    /// For each step of the history, what made it.
    pub steps: Vec<Matched>,
    /// What the first stage of the chain starts from, as typed.
    pub base: &'d str,
    score: i32,
    /// Sum over the pairs, `SAME` at most for each instruction that leaves a step.
    likeness: i32,
}

impl<'d> Alignment<'d> {
    /// Aligns `history` with the stage `target`, or else with the one that it fits best, the later of two; none without any stage.
    pub fn new(dockerfile: &'d Dockerfile, target: Option<usize>, history: &[StepFacts]) -> Option<Self> {
        let steps: Vec<Option<Step<'_>>> = history.iter().map(|step| step.created_by.as_deref().map(Step::parse)).collect();
        let stages = match target {
            Some(target) => target..target + 1,
            None => 0..dockerfile.stages.len(),
        };
        stages.map(|stage| Self::of_stage(dockerfile, stage, &steps)).max_by_key(|alignment| alignment.score)
    }

    fn of_stage(dockerfile: &'d Dockerfile, stage: usize, steps: &[Option<Step<'_>>]) -> Self {
        let chain = chain(dockerfile, stage);
        let base = chain.first().map_or("", |stage| stage.base.as_str());
        let instructions: Vec<&Instruction> = chain.into_iter().flat_map(|stage| &stage.instructions).collect();
        let skipped = steps.len().saturating_sub(MAX_INSTRUCTIONS);
        let grid = Grid::new(&instructions, &steps[skipped..]);
        let pairs = grid.pairs();
        let likeness = pairs.iter().filter(|(one, ..)| !is_quiet(instructions[*one].kind)).map(|(.., likeness)| likeness).sum();
        // Where an instruction that leaves a step was left out before the first pair, its step may be any of those before it.
        let first = pairs.first().copied();
        let certain = first.is_none_or(|(instruction, ..)| instructions[..instruction].iter().all(|one| is_quiet(one.kind)));
        let mut matched = vec![Matched::Nothing; steps.len()];
        if certain {
            let base = first.map_or(steps.len(), |(_, step, _)| skipped + step);
            matched[..base].fill(Matched::Base);
        }
        for (instruction, step, likeness) in pairs {
            let certainty = if likeness >= EXACT { Certainty::Exact } else { Certainty::Probable };
            matched[skipped + step] = Matched::Instruction(instruction, certainty);
        }
        Self { score: grid.score(), instructions, steps: matched, base, likeness }
    }

    /// Whether the image was built from this stage, or from one much like it: half of what it says is in the history.
    pub fn fits(&self) -> bool {
        let speaking = self.instructions.iter().filter(|one| !is_quiet(one.kind)).count().min(MAX_INSTRUCTIONS) as i32;
        !self.steps.is_empty() && 2 * self.likeness >= SAME * speaking
    }
}

/// The stages that `stage` consists of: the one it starts from first.
fn chain(dockerfile: &Dockerfile, stage: usize) -> Vec<&Stage> {
    let mut chain = Vec::new();
    let mut next = dockerfile.stages.get(stage).map(|found| (stage, found));
    while let Some((index, stage)) = next {
        chain.push(stage);
        // Only an earlier stage can be meant; a later one of that name is an image.
        let named = |other: &Stage| other.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&stage.base));
        next = dockerfile.stages[..index].iter().position(named).map(|earlier| (earlier, &dockerfile.stages[earlier]));
    }
    chain.reverse();
    chain
}

/// Whether builders may leave no step of it.
fn is_quiet(kind: Kind) -> bool {
    matches!(kind, Kind::Arg | Kind::Onbuild | Kind::Shell)
}

/// The best scores of the first instructions with the first steps.
struct Grid {
    width: usize,
    scores: Vec<i32>,
    /// The likeness of each instruction with each step; none where they can be no pair.
    likeness: Vec<Option<i32>>,
    gaps: Vec<i32>,
}

impl Grid {
    fn new(instructions: &[&Instruction], steps: &[Option<Step<'_>>]) -> Self {
        let own: Vec<Words> = instructions.iter().map(|instruction| Words::of_instruction(instruction)).collect();
        let theirs: Vec<Option<Words>> = steps.iter().map(|step| step.as_ref().map(Words::of_step)).collect();
        let width = steps.len() + 1;
        let mut grid = Self {
            width,
            scores: vec![0; width * (instructions.len() + 1)],
            likeness: Vec::with_capacity(instructions.len() * steps.len()),
            gaps: instructions.iter().map(|one| if is_quiet(one.kind) { QUIET_GAP } else { GAP }).collect(),
        };
        for (row, instruction) in instructions.iter().enumerate() {
            for (column, step) in steps.iter().enumerate() {
                let both = step.as_ref().zip(theirs[column].as_ref());
                grid.likeness.push(both.and_then(|(step, words)| likeness(instruction, &own[row], step, words)));
            }
        }
        for row in 1..=instructions.len() {
            for column in 0..width {
                let best = grid.ways(row, column).into_iter().flatten().max().unwrap_or_default();
                grid.scores[row * width + column] = best;
            }
        }
        grid
    }

    fn pair(&self, row: usize, column: usize) -> Option<i32> {
        self.likeness[(row - 1) * (self.width - 1) + column - 1]
    }

    /// The scores of pairing, of leaving out the step and of leaving out the instruction.
    fn ways(&self, row: usize, column: usize) -> [Option<i32>; 3] {
        let score = |row: usize, column: usize| self.scores[row * self.width + column];
        let pair = (column > 0).then(|| self.pair(row, column)).flatten();
        [
            pair.map(|likeness| score(row - 1, column - 1) + likeness - PAIRING),
            (column > 0).then(|| score(row, column - 1) - GAP),
            Some(score(row - 1, column) - self.gaps[row - 1]),
        ]
    }

    fn score(&self) -> i32 {
        self.scores.last().copied().unwrap_or_default()
    }

    /// The pairs of the best match, first ones first, each with its likeness.
    fn pairs(&self) -> Vec<(usize, usize, i32)> {
        let (mut row, mut column) = (self.scores.len() / self.width - 1, self.width - 1);
        let mut pairs = Vec::new();
        while row > 0 {
            let best = Some(self.scores[row * self.width + column]);
            let [paired, step, _] = self.ways(row, column);
            if paired == best {
                pairs.push((row - 1, column - 1, self.pair(row, column).unwrap_or_default()));
                (row, column) = (row - 1, column - 1);
            } else if step == best {
                column -= 1;
            } else {
                row -= 1;
            }
        }
        pairs.reverse();
        pairs
    }
}

/// What is compared of a text: its words, or the names of its pairs and then the words of their values.
struct Words {
    names: BTreeSet<String>,
    words: BTreeSet<String>,
}

impl Words {
    fn of_instruction(instruction: &Instruction) -> Self {
        match &instruction.body {
            Body::Pairs(pairs) => Self::of_pairs(pairs),
            Body::Run(run) => Self::of_text(&run.command),
            Body::Copy(copy) => Self::of_text(&format!("{} {}", copy.sources.join(" "), copy.dest)),
            Body::Other(text) => Self::of_text(text),
        }
    }

    fn of_step(step: &Step<'_>) -> Self {
        match step.kind {
            Some(Kind::Env | Kind::Arg | Kind::Label) => Self::of_pairs(&pairs::of_step(step.text)),
            Some(Kind::Copy | Kind::Add) => Self::of_text(flags(step.text).1),
            _ => Self::of_text(step.text),
        }
    }

    fn of_pairs(pairs: &[pairs::Pair]) -> Self {
        let values = pairs.iter().filter_map(|pair| pair.value.as_deref()).collect::<Vec<_>>().join(" ");
        Self { names: pairs.iter().map(|pair| pair.name.clone()).collect(), ..Self::of_text(&values) }
    }

    /// Words without the marks round them: quotes and brackets are written differently by different builders.
    fn of_text(text: &str) -> Self {
        let split = |c: char| c.is_whitespace() || "\"'[]{},;()".contains(c);
        let words = text.split(split).filter(|word| !word.is_empty() && !word.starts_with("<<"));
        Self { names: BTreeSet::new(), words: words.take(MAX_WORDS).map(str::to_owned).collect() }
    }
}

/// How much two texts have in common (Dice's coefficient), of `SAME`.
fn dice(one: &BTreeSet<String>, other: &BTreeSet<String>) -> i32 {
    let common = one.intersection(other).count() as i32;
    (2 * SAME * common).checked_div((one.len() + other.len()) as i32).unwrap_or(SAME)
}

/// How alike an instruction and a step are; none for those that can be no pair.
fn likeness(instruction: &Instruction, own: &Words, step: &Step<'_>, theirs: &Words) -> Option<i32> {
    match step.kind {
        None if instruction.kind == Kind::Run => return Some(dice(&own.words, &theirs.words)).filter(|likeness| *likeness >= BARE_COMMAND),
        kind if kind != Some(instruction.kind) => return None,
        _ => {}
    }
    Some(match (&instruction.body, step.copied_to()) {
        // What was copied is a digest there: where to is all there is to compare.
        (Body::Copy(copy), Some(dest)) if copy.dest.trim_end_matches('/') == dest.trim_end_matches('/') => EXACT + 100,
        (Body::Copy(_), Some(_)) => 0,
        // The value of a build argument need not be that of the file.
        (Body::Pairs(_), _) => dice(&own.names, &theirs.names) * 4 / 5 + dice(&own.words, &theirs.words) / 5,
        // Builders spell these in ways of their own.
        (Body::Other(_), _) => SAME * 2 / 5 + dice(&own.words, &theirs.words) * 3 / 5,
        _ => dice(&own.words, &theirs.words),
    })
}
