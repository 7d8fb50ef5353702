"""Worked questions of analysts: the shell runs them, the tests check them against pandas.

``python -m mir.sql.examples`` writes them as the section of docs/sql.md that holds them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """A question, what to know of the answer, and its SQL."""

    title: str
    remark: str
    sql: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        "The fastest drums of each decade",
        "arg_max gives a text from the row with the largest number.",
        """
SELECT year // 10 * 10 AS decade, count(*) AS tracks, median(tempo_bpm) AS median_bpm,
  max(tempo_bpm) AS fastest_bpm, arg_max(artist || ' - ' || title, tempo_bpm) AS fastest
FROM library
WHERE year IS NOT NULL AND tempo_bpm IS NOT NULL
GROUP BY decade
ORDER BY decade""",
    ),
    Example(
        "Singers whose voice lies between two pitches",
        "By each artist's median over their tracks; 165 to 255 Hz is E3 to C4.",
        """
SELECT artist, count(*) AS tracks, median(f0_median_hz) AS f0_hz
FROM vocal_timbre JOIN track_artists USING (track_id) JOIN artists USING (artist_id)
WHERE role = 'artist'
GROUP BY artist_id, artist
HAVING f0_hz BETWEEN 165 AND 255
ORDER BY f0_hz, artist""",
    ),
    Example(
        "Genres by syncopation of their drums",
        "Quartiles tell more than a mean: genres overlap.",
        """
SELECT genre, count(syncopation) AS tracks,
  quantile_cont(syncopation, 0.25) AS low, median(syncopation) AS syncopation, quantile_cont(syncopation, 0.75) AS high
FROM library
WHERE genre IS NOT NULL
GROUP BY genre
HAVING count(syncopation) > 0
ORDER BY syncopation DESC, genre""",
    ),
    Example(
        "Pairs of artists alike in voice, and least alike in drums",
        "Mean cosine over all pairs of their tracks, among the 100 artists with the most tracks: pairs grow with the "
        "square.",
        """
WITH busiest AS (
  SELECT artist_id, artist FROM artists JOIN track_artists USING (artist_id)
  WHERE role = 'artist' GROUP BY ALL ORDER BY count(*) DESC, artist_id LIMIT 100
), played AS (
  SELECT artist_id, artist, track_id, v.vector AS voice, d.vector AS drums
  FROM busiest JOIN track_artists USING (artist_id)
    JOIN embeddings_vocal_timbre AS v USING (track_id) JOIN embeddings_drum_rhythm AS d USING (track_id)
)
SELECT a.artist AS artist, b.artist AS other, count(*) AS pairs,
  avg(array_cosine_similarity(a.voice, b.voice)) AS voice,
  avg(array_cosine_similarity(a.drums, b.drums)) AS drums,
  avg(array_cosine_similarity(a.voice, b.voice)) - avg(array_cosine_similarity(a.drums, b.drums)) AS contrast
FROM played AS a JOIN played AS b ON a.artist_id < b.artist_id AND a.track_id <> b.track_id
GROUP BY a.artist_id, a.artist, b.artist_id, b.artist
ORDER BY contrast DESC
LIMIT 10""",
    ),
    Example(
        "The three commonest keys of each genre",
        "QUALIFY keeps rows by a window; key_strength leaves out what is hardly tonal.",
        """
SELECT genre,
  ['C', 'C#', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'][key_pitch_class::INTEGER + 1]
    || CASE WHEN mode_is_major = 1 THEN ' major' ELSE ' minor' END AS key,
  count(*) AS tracks, count(*) / sum(count(*)) OVER (PARTITION BY genre) AS share
FROM library
WHERE genre IS NOT NULL AND key_pitch_class IS NOT NULL AND key_strength > 0.3
GROUP BY genre, key
QUALIFY row_number() OVER (PARTITION BY genre ORDER BY count(*) DESC, key) <= 3
ORDER BY genre, tracks DESC, key""",
    ),
    Example(
        "Vocal range by artist",
        "From the lowest to the highest notes of all their tracks, in semitones: 12 are an octave.",
        """
SELECT artist, count(*) AS tracks, min(f0_low_hz) AS lowest_hz, max(f0_high_hz) AS highest_hz,
  12 * log2(max(f0_high_hz) / min(f0_low_hz)) AS range_semitones
FROM vocal_timbre JOIN track_artists USING (track_id) JOIN artists USING (artist_id)
WHERE role = 'artist' AND f0_low_hz IS NOT NULL AND f0_high_hz IS NOT NULL
GROUP BY artist_id, artist
ORDER BY range_semitones DESC, artist
LIMIT 20""",
    ),
    Example(
        "Swing against straight by genre",
        "1 is straight, 2 is triplets; 1.15 is where swing is plainly heard.",
        """
SELECT genre, count(swing_ratio) AS tracks, median(swing_ratio) AS swing_ratio,
  count(*) FILTER (swing_ratio >= 1.15) AS swung, count(*) FILTER (swing_ratio < 1.15) AS straight,
  avg((swing_ratio >= 1.15)::INTEGER) AS swung_share
FROM library
WHERE genre IS NOT NULL AND swing_ratio IS NOT NULL
GROUP BY genre
ORDER BY swung_share DESC, genre""",
    ),
    Example(
        "Loudness by year",
        "The loudness war, if it is in this library: louder, and with less between loud and soft.",
        """
SELECT year, count(*) AS tracks, avg(loudness_lufs) AS loudness_lufs,
  avg(loudness_range_lu) AS loudness_range_lu, avg(crest_factor_db) AS crest_factor_db
FROM library
WHERE year IS NOT NULL AND loudness_lufs IS NOT NULL
GROUP BY year
ORDER BY year""",
    ),
    Example(
        "Fast drums over a sparse bass",
        "percent_rank places a track among all others: the upper quarter of one, the lower quarter of the other.",
        """
SELECT artist, title, tempo_bpm, drums.onset_rate_hz AS drum_strokes_hz, bass.note_rate_hz AS bass_notes_hz
FROM tracks JOIN drum_rhythm AS drums USING (track_id) JOIN bass_line AS bass USING (track_id)
WHERE drums.onset_rate_hz IS NOT NULL AND bass.note_rate_hz IS NOT NULL
QUALIFY percent_rank() OVER (ORDER BY drums.onset_rate_hz) >= 0.75
  AND percent_rank() OVER (ORDER BY bass.note_rate_hz) <= 0.25
ORDER BY drum_strokes_hz - bass_notes_hz DESC, track_id""",
    ),
    Example(
        "Who sings with the most vibrato, and who the most evenly",
        "Share of the held notes that vibrate, and from soft to loud; artists with two tracks at least.",
        """
SELECT artist, count(*) AS tracks, avg(vibrato_ratio) AS vibrato_ratio, median(vibrato_rate_hz) AS vibrato_rate_hz,
  avg(level_range_db) AS level_range_db, rank() OVER (ORDER BY avg(level_range_db)) AS evenness_rank
FROM vocal_timbre JOIN track_artists USING (track_id) JOIN artists USING (artist_id)
WHERE role = 'artist' AND vibrato_ratio IS NOT NULL AND level_range_db IS NOT NULL
GROUP BY artist_id, artist
HAVING count(*) >= 2
ORDER BY vibrato_ratio DESC, artist
LIMIT 20""",
    ),
    Example(
        "Tracks that are far from what is usual in their genre",
        "Distance from the genre's median tempo in robust deviations (1.4826 median distances); above 3 is far.",
        """
WITH usual AS (
  SELECT genre, median(tempo_bpm) AS middle, 1.4826 * mad(tempo_bpm) AS deviation
  FROM library WHERE genre IS NOT NULL GROUP BY genre HAVING count(tempo_bpm) >= 5
)
SELECT artist, title, genre, tempo_bpm, middle AS usual_bpm, (tempo_bpm - middle) / deviation AS deviations
FROM library JOIN usual USING (genre)
WHERE deviation > 0 AND abs(tempo_bpm - middle) > 3 * deviation
ORDER BY abs(deviations) DESC, track_id""",
    ),
    Example(
        "Voices like that of one track",
        "The macro takes a track_id, a title or 'Artist - Title', and a space or an instrument; here the first track "
        "that has a voice.",
        """
SELECT artist, title, similarity, f0_median_hz, breathiness
FROM similar_tracks((SELECT min(track_id) FROM embeddings_vocal_timbre), 'vocal_timbre', 10)
  JOIN vocal_timbre USING (track_id)
ORDER BY similarity DESC""",
    ),
)


def markdown() -> str:
    """Return the questions as Markdown, numbered."""
    return "\n".join(
        f"### {number}. {each.title}\n{each.remark}\n\n```sql\n{each.sql.strip()};\n```\n"
        for number, each in enumerate(EXAMPLES, 1)
    )


if __name__ == "__main__":
    sys.stdout.write(markdown())
