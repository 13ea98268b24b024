from setuptools import setup

setup(name="tally", version="1.2.3", packages=["tally"], entry_points={"console_scripts": ["tally=tally:main"]})
