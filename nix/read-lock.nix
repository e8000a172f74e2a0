# Returns the content of a project's slipway.lock.
lock:
if builtins.pathExists lock
then builtins.fromTOML (builtins.readFile lock)
else throw "slipway.lock is not in the project's directory, or git does not track it; run: slipway lock, and: git add slipway.lock"
