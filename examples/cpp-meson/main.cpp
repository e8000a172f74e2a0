#include <lz4.h>

#include <future>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

// A text that has been through LZ4 and back.
static std::string back_and_forth(const std::string &text)
{
    std::vector<char> packed(LZ4_compressBound(static_cast<int>(text.size())));
    const int size = LZ4_compress_default(text.data(), packed.data(), static_cast<int>(text.size()),
                                          static_cast<int>(packed.size()));
    std::string back(text.size(), '\0');
    if (LZ4_decompress_safe(packed.data(), back.data(), size, static_cast<int>(back.size())) < 0)
        throw std::runtime_error("the text did not come back");
    return back;
}

int main()
{
    const std::string text = "the ship leaves the slip and the slip stays";
    try {
        std::istringstream words(std::async(std::launch::async, back_and_forth, text).get());
        std::map<std::string, int> counts;
        for (std::string word; words >> word;)
            counts[word]++;
        for (const auto &[word, count] : counts)
            std::cout << count << ' ' << word << '\n';
        // what is no number is told by an exception
        std::stoi(counts.begin()->first);
    } catch (const std::invalid_argument &) {
        return 0;
    } catch (const std::exception &error) {
        std::cerr << error.what() << '\n';
    }
    return 1;
}
