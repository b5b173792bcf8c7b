//! Colours and weights.

use anstyle::{AnsiColor, Color, Style};

use super::super::Colour;
use crate::finding::Severity;

/// Paints, or does not.
#[derive(Clone, Copy)]
pub(in super::super) struct Ink(pub(in super::super) Colour);

impl Ink {
    pub(in super::super) fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    pub(in super::super) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// For what must not be overlooked.
    pub(in super::super) fn alarm(self, text: &str) -> String {
        self.paint(colour(AnsiColor::Red).bold(), text)
    }

    pub(in super::super) fn severity(self, severity: Severity, text: &str) -> String {
        let style = match severity {
            Severity::Critical => colour(AnsiColor::Red).bold(),
            Severity::High => colour(AnsiColor::Red),
            Severity::Medium => colour(AnsiColor::Yellow),
            Severity::Low => colour(AnsiColor::Cyan),
        };
        self.paint(style, text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        match self.0 {
            Colour::Plain => text.to_owned(),
            Colour::Styled => format!("{style}{text}{style:#}"),
        }
    }
}

fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}
