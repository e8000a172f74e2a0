# Checks that librdkafka has the features that users of the reporter may configure. Its configure script
# silently leaves out features whose libraries it does not find.

for feature in LZ4_EXT SASL_OAUTHBEARER SASL_SCRAM SSL ZLIB ZSTD; do
  grep -qE "PKGCONFIG .*\<$feature\>" "$librdkafka/lib/librdkafka.so.1" || {
    echo "librdkafka has no $feature" >&2
    exit 1
  }
done

touch "$out"
