"""The twelve keys. Touch buttons and computer keyboards speak in the same keys, so the whole flow works by keypad alone."""

from enum import StrEnum, unique


@unique
class Key(StrEnum):
    """One key of the telephone layout."""

    DIGIT_0 = "0"
    DIGIT_1 = "1"
    DIGIT_2 = "2"
    DIGIT_3 = "3"
    DIGIT_4 = "4"
    DIGIT_5 = "5"
    DIGIT_6 = "6"
    DIGIT_7 = "7"
    DIGIT_8 = "8"
    DIGIT_9 = "9"
    CANCEL = "cancel"
    """Red, lower left: ✕. Always safe."""
    OK = "ok"
    """Green, lower right: ○."""
    CLEAR = "clear"
    """Yellow ⌫, where a board has a thirteenth key; on a twelve-key board a short CANCEL with something typed clears it."""

    @property
    def digit(self) -> str | None:
        """The digit on the key, or None."""
        return self.value if len(self.value) == 1 else None
