# Runs a tool of the go command (its option -toolexec). It gives the linker the version and the revision that the
# program's build information shows: $moduleVersion, $revision and $modified, each of which can be empty. The go
# command itself would ask a version control system, which a build does not have.
#
# The linker reads the build information from a file of the option -importcfg, in a line
# modinfo "START…path\tPATH\nmod\tMODULE\t(devel)\t\n…build\tKEY=VALUE\n…END", where START and END are 16 bytes
# each. Source: modload.ModInfoData and work.BuildInstallFunc of cmd/go.

importcfg=
if [[ ${1##*/} = link ]]; then
  for ((i = 2; i < $#; i++)); do
    [[ ${!i} != -importcfg ]] || importcfg=${*:i+1:1}
  done
fi
if [[ -n $importcfg ]]; then
  settings=
  if [[ -n $revision ]]; then
    settings="build\\\\tvcs=git\\\\nbuild\\\\tvcs.revision=$revision\\\\nbuild\\\\tvcs.modified=$modified\\\\n"
  fi
  sed -i "/^modinfo /{
    s/\\(\\\\nmod\\\\t[^ ]*\\\\t\\)(devel)/\\1${moduleVersion:-(devel)}/
    s/\\(.*\\)\\\\xf92C1/\\1$settings\\\\xf92C1/
  }" "$importcfg"
fi
exec "$@"
