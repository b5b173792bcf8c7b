//! A Dockerfile, its instructions beside a history, and steps of a history read back.

use layersift::dockerfile::{Alignment, Dockerfile, Step};
use layersift::finding::StepFacts;

pub(super) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines().take(50) {
        let step = Step::parse(line);
        assert!(line.contains(step.text) && step.arguments.is_none_or(|arguments| line.contains(arguments)), "{line:?}");
        let _ = step.argument_with("x");
    }
    let Ok(dockerfile) = Dockerfile::parse(data) else { return };
    assert_eq!(Dockerfile::parse(data).as_ref(), Ok(&dockerfile));
    let lines = text.split('\n').count();
    let mut last = 0;
    for instruction in dockerfile.stages.iter().flat_map(|stage| &stage.instructions) {
        assert!(
            last <= instruction.line && instruction.line <= instruction.end_line && instruction.end_line <= lines,
            "{instruction:?} of {lines} lines"
        );
        last = instruction.line;
    }
    for (number, stage) in dockerfile.stages.iter().enumerate() {
        assert_eq!(dockerfile.stage(&number.to_string()).is_some(), dockerfile.target(&number.to_string()).is_ok());
        let _ = stage.name.as_deref().map(|name| dockerfile.stage(name));
    }
    let history: Vec<StepFacts> =
        dockerfile.texts().take(30).map(|text| StepFacts { created_by: Some(text.to_owned()), layer: None }).collect();
    if let Some(alignment) = Alignment::new(&dockerfile, None, &history) {
        assert_eq!(alignment.steps.len(), history.len());
        let _ = alignment.fits();
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let whole = "# syntax=docker/dockerfile:1\nARG BASE=debian\nFROM ${BASE}:12 AS build\nENV A=b \"C D\"='e f'\nRUN --mount=type=cache,target=/x apt-get update \\\n  # why\n  && make\n\
                 COPY --from=0 --chown=1:1 [\"a b\", \"/c/\"]\nFROM scratch\nCOPY --from=build /out /\nLABEL x=\"y\\\nz\"\nRUN <<EOF\nset -e\necho hi\nEOF\nCMD [\"/bin/a\", \"-b\"]\n";
    let windows = "# escape=`\nFROM a\nRUN dir `\n  c:\\\nADD https://example.org/x.tar /x\nONBUILD RUN make\nHEALTHCHECK --interval=1s CMD x\nSTOPSIGNAL 9\n";
    let steps = "/bin/sh -c #(nop)  ENV A=b\n|1 TOKEN=x /bin/sh -c make\nRUN /bin/sh -c make # buildkit\n/bin/sh -c #(nop) COPY file:0123 in /app/ \n";
    [whole, windows, steps].map(|text| text.as_bytes().to_vec()).into()
}
