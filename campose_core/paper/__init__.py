"""The tables of the paper that campose began with, for any scene."""
