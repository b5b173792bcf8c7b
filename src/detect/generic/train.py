#!/usr/bin/env python3
"""Fits the weights of the scorer (weights.tsv) to labelled text, and says how well they carry over. Needs numpy.

usage: train.py fit   CORPUS.jsonl --survey PROGRAM [--noise FOLDER ...] [--l2 N] [--noise-weight N] [--possible P] [--likely P]
       train.py folds CORPUS.jsonl --survey PROGRAM [--noise FOLDER ...] [--others REPORT.json] [--features LIST] ...

CORPUS.jsonl has a line a file: {"file", "text", "labels": [{"expect": true|false, "secret", "line", "line_end"?}]}; the first folder of a file is its
repository. PROGRAM is the example `survey` (cargo build --release --example survey; its source is benches/survey.rs). FOLDER holds files that publish no secret, such as the
root filesystem of a stock image: whatever the survey finds there weighs as a negative.
fit    writes weights.tsv beside this script.
folds  fits without one repository after the other and scores that one; --others adds what a scan without the generic rules found (a JSON
       report with secrets shown), so that the figures are those of the whole program; --features names features to use alone (an ablation).
"""
import argparse, collections, json, os, re, subprocess, tempfile
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
NOISE = re.compile(r"\\[nrt]|[\s\\]+")


def plain(text):
    return NOISE.sub("", text or "")


def matches(label, row):
    """Whether a found value and a label are of the same text: one holds the other, or the line is the label's."""
    a, b = plain(label.get("secret")), plain(row["secret"])
    if a and b and (a in b or b in a) and min(len(a), len(b)) >= 4 or a == b != "":
        return True
    line = label.get("line")
    if not line:
        return not a
    return bool(row.get("line")) and line <= row["line"] <= (label.get("line_end") or line + (label.get("secret") or "").strip().count("\n"))


def survey(program, folder):
    out = subprocess.run([program, folder], capture_output=True, text=True, errors="replace", check=True).stdout.splitlines()
    return json.loads(out[0])["features"], [json.loads(line) for line in out[1:]]


class Corpus:
    def __init__(self, path, program):
        self.labels = collections.defaultdict(list)
        with tempfile.TemporaryDirectory() as folder:
            for line in open(path, encoding="utf-8"):
                row = json.loads(line)
                target = os.path.join(folder, row["file"])
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "w", encoding="utf-8", errors="surrogateescape", newline="") as out:
                    out.write(row["text"])
                self.labels[row["file"]] = row["labels"]
            self.names, self.rows = survey(program, folder)
        self.repository = np.array([row["file"].split("/")[0] for row in self.rows])
        found = [[label for label in self.labels[row["file"]] if matches(label, row)] for row in self.rows]
        self.x = np.array([row["features"] for row in self.rows])
        self.y = np.array([float(any(label["expect"] for label in labels)) for labels in found])
        # Text that nobody labelled is hardly ever a secret, and a repository counts with the root of its size.
        size = collections.Counter(self.repository)
        weight = np.array([(1.0 if labels else 0.3) / np.sqrt(size[name]) for labels, name in zip(found, self.repository)])
        self.weight = weight * len(weight) / weight.sum()

    def repositories(self):
        return sorted({name.split("/")[0] for name in self.labels})


def negatives(folders, program, scale):
    """Distinct features of files without secrets, each with the root of how often it stands there."""
    xs, ws = [], []
    for folder in folders:
        _, rows = survey(program, folder)
        if rows:
            x, count = np.unique(np.array([row["features"] for row in rows]).round(3), axis=0, return_counts=True)
            xs.append(x)
            ws.append(np.sqrt(count))
    if not xs:
        return None
    w = np.concatenate(ws)
    return np.vstack(xs), w * scale / w.sum()


def fit(x, y, w, l2):
    """Newton's method for a logistic sum with a penalty on the weights."""
    x = np.hstack([x, np.ones((len(x), 1))])
    beta = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], l2)
    penalty[-1] = 1e-3
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -40, 40)))
        gradient = x.T @ (w * (p - y)) + penalty * beta
        step = np.linalg.solve((x * (w * p * (1 - p))[:, None]).T @ x + np.diag(penalty), gradient)
        beta -= step
        if np.abs(step).max() < 1e-7:
            break
    return beta


def predict(x, beta):
    return 1 / (1 + np.exp(-np.clip(x @ beta[:-1] + beta[-1], -40, 40)))


def train(corpus, chosen, noise, columns, options):
    x, y, w = corpus.x[chosen], corpus.y[chosen], corpus.weight[chosen]
    if noise is not None:
        x, y, w = np.vstack([x, noise[0]]), np.concatenate([y, np.zeros(len(noise[0]))]), np.concatenate([w, noise[1] * len(corpus.y)])
    return fit(x[:, columns], y, w, options.l2)


def tally(corpus, repository, found):
    """True labels hit, false ones hit, true ones missed."""
    hit, wrong, total = set(), set(), 0
    for row in found:
        labels = [(number, label) for number, label in enumerate(corpus.labels.get(row["file"], [])) if matches(label, row)]
        right = [(row["file"], number) for number, label in labels if label["expect"]]
        hit.update(right)
        if labels and not right:
            wrong.add((row["file"], row.get("line") or row["secret"]))
    for file, labels in corpus.labels.items():
        if file.split("/")[0] == repository:
            total += sum(bool(label["expect"]) for label in labels)
    return len(hit), len(wrong), total - len(hit)


def show(name, hit, wrong, missed):
    precision, recall = hit / max(hit + wrong, 1), hit / max(hit + missed, 1)
    print(f"{name:12} precision {precision:.3f} recall {recall:.3f} F1 {2 * precision * recall / max(precision + recall, 1e-9):.3f} ({hit} hit, {wrong} wrong, {missed} missed)")


def folds(corpus, noise, options):
    columns = [corpus.names.index(name) for name in options.features.split(",")] if options.features else list(range(len(corpus.names)))
    others = collections.defaultdict(list)
    for finding in json.load(open(options.others, encoding="utf-8", errors="surrogateescape"))["findings"] if options.others else []:
        if not finding.get("suppressed"):
            file = (finding["place"].get("path") or "").lstrip("/")
            others[file.split("/")[0]].append({"file": file, "line": finding["place"].get("line"), "secret": finding["secret"], "rank": finding["confidence"]})
    sums = {}
    for repository in corpus.repositories():
        held = corpus.repository == repository
        beta = train(corpus, ~held, noise, columns, options)
        p = predict(corpus.x[held][:, columns], beta)
        rows = [row for row, mine in zip(corpus.rows, held) if mine]
        for word, threshold in (("possible", options.possible), ("likely", options.likely)):
            certain = [row for row in others[repository] if word == "possible" or row["rank"] != "possible"]
            result = tally(corpus, repository, certain + [row for row, probability in zip(rows, p) if probability >= threshold])
            sums[word] = tuple(a + b for a, b in zip(sums.get(word, (0, 0, 0)), result))
            if word == "possible":
                show(repository, *result)
    for word, result in sums.items():
        show(word, *result)


def write(names, beta, options):
    with open(os.path.join(HERE, "weights.tsv"), "w", encoding="utf-8", newline="\n") as out:
        out.write("# Written by train.py; a feature's words, a tab, its weight.\n")
        for name, weight in [("bias", beta[-1]), ("possible", options.possible), ("likely", options.likely), *zip(names, beta)]:
            out.write(f"{name}\t{weight:.3f}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["fit", "folds"])
    parser.add_argument("corpus")
    parser.add_argument("--survey", required=True)
    parser.add_argument("--noise", action="append", default=[])
    parser.add_argument("--noise-weight", type=float, default=0.5)
    parser.add_argument("--others")
    parser.add_argument("--features")
    parser.add_argument("--l2", type=float, default=1.0)
    parser.add_argument("--possible", type=float, default=0.5)
    parser.add_argument("--likely", type=float, default=0.95)
    options = parser.parse_args()
    corpus = Corpus(options.corpus, options.survey)
    noise = negatives(options.noise, options.survey, options.noise_weight)
    if options.verb == "folds":
        folds(corpus, noise, options)
    else:
        beta = train(corpus, np.ones(len(corpus.y), bool), noise, list(range(len(corpus.names))), options)
        write(corpus.names, beta, options)


if __name__ == "__main__":
    main()
