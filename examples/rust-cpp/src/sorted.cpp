#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>

// Sorts numbers in place, each once, and gives how many are left.
extern "C" std::size_t sorted(std::int32_t *numbers, std::size_t count)
{
    const auto unique = std::make_unique<std::set<std::int32_t>>(numbers, numbers + count);
    return std::copy(unique->begin(), unique->end(), numbers) - numbers;
}
