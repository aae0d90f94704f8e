# Third-party source: Debian source packages, pinned in third_party/manifest, built unmodified.
