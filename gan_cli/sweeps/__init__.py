"""Many runs: sweeps, the processes of launchers, searches."""
