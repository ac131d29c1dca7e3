"""What a cluster is about, in words of its own rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from selector.core import Progress, Rows

READ = 600  # characters of a text
BREAK = re.compile(r"\\[nrt](?=[^a-z])")  # as in "\\nOptions"
VOCABULARY = 30_000  # most frequent words
TOLD = 3
# What is left of "didn't" and the like once the apostrophe is gone.
NO_WORDS = [
    "ain",
    "aren",
    "couldn",
    "daren",
    "didn",
    "doesn",
    "don",
    "hadn",
    "hasn",
    "haven",
    "herse",
    "himse",
    "isn",
    "itse",
    "mayn",
    "mightn",
    "mon",
    "mustn",
    "myse",
    "needn",
    "oughtn",
    "shan",
    "shouldn",
    "wasn",
    "weren",
    "won",
    "wouldn",
]


def own_words(texts: Sequence[str], label: NDArray[np.int64], clusters: Rows, progress: Progress) -> Mapping[int, str]:
    """The three words of each of these clusters that are most its own, or '' where it has none.

    Words by class-based TF-IDF (Grootendorst, arXiv 2203.05794, eq. 2): tf log(1 + A / f), tf a word's rows in the cluster, f its rows
    everywhere, A the mean number of words of a cluster. Stop words, and words of fewer than three letters, do not count.
    """
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer
    from stopwordsiso import stopwords

    progress("names of clusters", 0, 0)
    reader = CountVectorizer(
        binary=True,
        token_pattern=r"(?u)\b[^\W\d_]{3,}\b",
        stop_words=[word for word in sorted(stopwords("en")) if word.isalpha()] + NO_WORDS,
        max_features=VOCABULARY,
        dtype=np.float64,
    )
    try:
        # A line break written as a backslash and a letter would leave its letter on the next word.
        counts = reader.fit_transform(BREAK.sub(" ", text[:READ]) for text in texts)
    except ValueError:  # nothing but stop words
        return dict.fromkeys(clusters.tolist(), "")
    place = np.full(int(label.max(initial=-1)) + 2, -1)
    place[clusters] = np.arange(len(clusters))
    of = place[label]  # -1 for rows in no cluster, by the last place
    inside = np.flatnonzero(of >= 0)
    chosen = csr_array((np.ones(len(inside)), (of[inside], inside)), shape=(len(clusters), len(texts)))
    by_cluster = (chosen @ csr_array(counts)).toarray()  # clusters x words: 200 x 30,000
    frequency = np.asarray(counts.sum(axis=0)).ravel()
    weight = by_cluster * np.log1p(by_cluster.sum() / len(clusters) / np.maximum(frequency, 1))
    vocabulary = reader.get_feature_names_out()
    named = {}
    for number, cluster in enumerate(clusters.tolist()):
        best = np.argsort(-weight[number], kind="stable")[:TOLD]
        named[cluster] = ", ".join(vocabulary[word] for word in best if weight[number, word] > 0)
    return named
