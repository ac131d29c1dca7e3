"""How single tokens are shown to people."""

from __future__ import annotations


def readable(piece: str, text: str) -> str:
    """What one token reads as: its decoded text, a leading space kept.

    `piece` is the token as the vocabulary spells it, `text` what it decodes to alone. Control characters and bytes that make no
    whole character are shown as \\n and \\xe4.
    """
    if "\ufffd" in text and piece and all(letter in _BYTES for letter in piece):
        text = bytes(_BYTES[letter] for letter in piece).decode("utf-8", "backslashreplace")
    elif piece.startswith("▁"):  # decoding a lone SentencePiece token loses the space that marks a word's start
        text = piece.replace("▁", " ")
    text = text or piece
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)


def _byte_letters() -> dict[str, int]:
    """The printable letter that byte-level BPE writes for each byte (Radford et al. 2019), turned round."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + at): byte for at, byte in enumerate(hidden)}


_BYTES = _byte_letters()
