//! Histories as builders write them: `|` stands where the base should end.

use super::*;

/// Steps as lines: day and time, then `-` for a step without a layer, then the instruction, and after ` ## ` the comment or `@author`.
/// The line `|` is the end of the base; gives the steps and that place.
fn history(text: &str) -> (Vec<HistoryStep>, usize) {
    let mut steps = Vec::new();
    let mut end = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line == "|" {
            end = steps.len();
            continue;
        }
        let (created, rest) = line.split_once(' ').unwrap();
        let (empty_layer, rest) = rest.strip_prefix("- ").map_or((false, rest), |rest| (true, rest));
        let (created_by, said) = rest.split_once(" ## ").map_or((rest, ""), |(created_by, said)| (created_by, said));
        let (author, comment) = said.strip_prefix('@').map_or((None, Some(said)), |author| (Some(author), None));
        let owned = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        steps.push(HistoryStep {
            created_by: Some(created_by.to_owned()),
            comment: owned(comment),
            author: owned(author),
            created: created.parse().ok(),
            empty_layer,
        });
    }
    (steps, end)
}

#[track_caller]
fn check(what: &str, text: &str) {
    let (steps, end) = history(text);
    assert_eq!(base_steps(&steps), end, "{what}");
}

#[test]
fn a_base_ends_where_the_builder_changes() {
    check(
        "Debian's root filesystem under BuildKit",
        "2024-11-01T00:00:00Z # debian.sh --arch 'amd64' out/ 'bookworm' '@1' ## debuerreotype 0.15
         |
         2024-11-02T10:00:00Z - WORKDIR /app ## buildkit.dockerfile.v0
         2024-11-02T10:00:00Z COPY . . # buildkit ## buildkit.dockerfile.v0
         2024-11-02T10:00:00Z - CMD [\"./app\"] ## buildkit.dockerfile.v0",
    );
    check(
        "a classic distribution under BuildKit, without any CMD",
        "2023-05-01T00:00:00Z /bin/sh -c #(nop) ADD file:0123 in / 
         2023-05-01T00:00:01Z - /bin/sh -c #(nop)  CMD [\"bash\"]
         |
         2023-05-01T00:00:02Z COPY . . # buildkit ## buildkit.dockerfile.v0",
    );
    check(
        "kaniko on apko, with times that mean nothing",
        "2022-06-29T00:23:02Z apko ## @apko
         |
         0001-01-01T00:00:00Z COPY manager . ## @kaniko
         0001-01-01T00:00:00Z RUN addgroup -S nonroot ## @kaniko",
    );
    check(
        "ko on Bazel's distroless",
        "1970-01-01T00:00:00Z bazel build ... ## @Bazel
         1970-01-01T00:00:00Z bazel build ... ## @Bazel
         |
         0001-01-01T00:00:00Z ko build ko://example.org/app ## @ko",
    );
    check(
        "Jib on a BuildKit image",
        "2024-01-01T00:00:00Z RUN /bin/sh -c install-java # buildkit ## buildkit.dockerfile.v0
         2024-01-01T00:00:00Z - CMD [\"jshell\"] ## buildkit.dockerfile.v0
         |
         1970-01-01T00:00:00Z jib-maven-plugin:3.4.0 ## @Jib",
    );
}

#[test]
fn what_no_builder_can_be_told_from_is_the_later_builds() {
    check(
        "a shell of its own within one classic build",
        "2024-01-01T00:00:00Z /bin/sh -c #(nop) COPY dir:0123 in /app
         2024-01-01T00:00:00Z /bin/bash -o pipefail -c make
         2024-01-01T00:00:00Z - /bin/sh -c #(nop)  CMD [\"app\"]",
    );
    check(
        "a step that nothing is known of between two builders",
        "2024-01-01T00:00:00Z /bin/sh -c #(nop) ADD file:0123 in /opt
         |
         2024-01-01T00:00:00Z umoci insert
         2024-01-01T00:00:00Z COPY . . # buildkit",
    );
    check("nothing but unknown steps", "2024-01-01T00:00:00Z umoci insert\n2024-06-01T00:00:00Z nix");
}

#[test]
fn buildah_names_the_base_and_the_layers_below_are_its() {
    check(
        "a step for each instruction",
        "2024-01-01T00:00:00Z - /bin/sh -c #(nop) LABEL vendor=x
         2024-01-01T00:00:00Z /bin/sh -c #(nop) ADD file:0123 in / 
         |
         2024-01-01T00:05:00Z - /bin/sh -c #(nop) ENV A=b ## FROM registry.example.org/ubi9:latest
         2024-01-01T00:05:00Z /bin/sh -c dnf install -y x ## FROM 57a8b2c0f9bc
         2024-01-01T00:05:00Z - /bin/sh -c #(nop) CMD x ## FROM 0123456789abcdef0123",
    );
    check(
        "one layer, and said at its end",
        "2024-01-01T00:00:00Z /bin/sh -c #(nop) ADD file:0123 in / 
         |
         2024-01-01T00:00:00Z - /bin/sh -c #(nop) CMD sh
         2024-01-01T00:05:00Z - /bin/sh -c #(nop) ENV TOKEN=x
         2024-01-01T00:05:00Z /bin/sh -c make ## FROM docker.io/library/alpine:3",
    );
    check("from nothing", "2024-01-01T00:05:00Z /bin/sh -c #(nop) COPY file:0123 in / ## FROM scratch");
}

#[test]
fn of_two_commands_the_first_is_a_bases_if_time_has_passed() {
    let python = |later: &str, own: &str| {
        format!(
            "2024-11-01T00:00:00Z ADD alpine-minirootfs-3.20.3-x86_64.tar.gz / # buildkit ## buildkit.dockerfile.v0
             2024-11-01T00:00:00Z - CMD [\"/bin/sh\"] ## buildkit.dockerfile.v0
             2024-11-05T00:00:00Z - ENV PATH=/usr/local/bin ## buildkit.dockerfile.v0
             2024-11-05T00:00:00Z RUN /bin/sh -c make # buildkit ## buildkit.dockerfile.v0
             2024-11-05T00:00:00Z - CMD [\"python3\"] ## buildkit.dockerfile.v0
             {later} COPY . . # buildkit ## buildkit.dockerfile.v0
             {later} - {own} ## buildkit.dockerfile.v0"
        )
    };
    let ends = |later, own| base_steps(&history(&python(later, own)).0);
    assert_eq!(ends("2024-12-01T00:00:00Z", "CMD [\"app\"]"), 5, "a language's image, and an own command");
    assert_eq!(ends("2024-12-01T00:00:00Z", "EXPOSE 80"), 2, "without an own command only the distribution is told");
    assert_eq!(ends("2024-11-05T00:10:00Z", "CMD [\"app\"]"), 2, "two commands of one build");
    assert_eq!(ends("0001-01-01T00:00:00Z", "CMD [\"app\"]"), 2, "no time");
    assert_eq!(ends("2024-10-01T00:00:00Z", "CMD [\"app\"]"), 5, "an earlier time that was set by hand");
    assert_eq!(ends("2024-12-01T00:00:00Z", "ENTRYPOINT [\"app\"]"), 2, "an entry point is no second command");
}

#[test]
fn a_command_in_the_middle_of_one_build_ends_nothing() {
    check(
        "CMD early, steps from a cache before it",
        "2024-01-01T00:00:00Z RUN /bin/sh -c apt-get install # buildkit
         2024-01-01T00:00:00Z - CMD [\"app\"]
         2024-02-01T00:00:00Z COPY . . # buildkit
         2024-02-01T00:00:00Z - ENTRYPOINT [\"/run\"]",
    );
    check(
        "a root filesystem of one's own",
        "2024-01-01T00:00:00Z /bin/sh -c #(nop) ADD file:0123 in / 
         2024-01-01T00:00:01Z - /bin/sh -c #(nop)  CMD [\"sh\"]
         2024-01-01T00:00:02Z /bin/sh -c make",
    );
    check("nothing at all", "");
}
