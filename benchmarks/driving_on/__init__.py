"""Driving on where nothing is recognized: is there a pose, is it right, and does it say how sure it is?"""
