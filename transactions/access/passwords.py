"""What a password must be, as Django judges it, said in a few words."""

from django.contrib.auth import password_validation as judged


class LongEnough(judged.MinimumLengthValidator):
    def get_help_text(self) -> str:
        return f"At least {self.min_length} characters"


class UnlikeTheirs(judged.UserAttributeSimilarityValidator):
    def get_help_text(self) -> str:
        return "Unlike the name and the address of whom it is"


class Uncommon(judged.CommonPasswordValidator):
    def get_help_text(self) -> str:
        return "None that many have"


class NotOfDigits(judged.NumericPasswordValidator):
    def get_help_text(self) -> str:
        return "Not digits alone"
