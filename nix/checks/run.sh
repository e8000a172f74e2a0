# Checks that the program runs: five messages go to a broker and come back in order.
set -o pipefail

$emulator "$program/bin/reporter" --embedded-broker --count 5 --interval 0.1 | tee messages

[[ $(wc -l <messages) = 5 ]]
for offset in 0 1 2 3 4; do
  line=$(sed -n "$((offset + 1))p" messages)
  [[ $line =~ ^info\ \[0\]\ @\ $offset:\ Time:\ [0-9T:+-]+Z?,\ PID:\ [0-9]+,\ UID:\ [0-9]+$ ]] || {
    echo "message $offset is not as it should be: $line" >&2
    exit 1
  }
done

touch "$out"
