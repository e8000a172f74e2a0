# One row a platform, with every name it has in the worlds that meet here. The command line is built
# with the same table, which is why it lies beside its sources.
builtins.fromJSON (builtins.readFile ../crates/slipway-verify/src/platforms.json)
