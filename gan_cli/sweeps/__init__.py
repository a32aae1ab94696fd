"""Many runs: sweeps, launchers, searches."""
