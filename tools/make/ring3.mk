# Ring-3 programs: one folder each, linked with the runtime in user/.
RING3_PROGRAMS :=
