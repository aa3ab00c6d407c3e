"""Metadata is in setup.cfg; here is what it can't say: folders outside the package that ship as its parts."""

from setuptools import find_packages, setup

SHIPPED_FOLDERS = ["jobengine.migrations", "jobengine.migrations.versions", "jobengine.schemas"]

setup(packages=find_packages(include=["jobengine", "jobengine.*"]) + SHIPPED_FOLDERS)
