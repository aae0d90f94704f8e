# Boot package, ISO image, make run.
