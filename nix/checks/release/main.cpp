// Prints what a library of C++ has to do for it: memory, threads and exceptions.

#include <iostream>
#include <stdexcept>
#include <string>
#include <thread>

int main() {
  std::string caught;
  std::thread([&caught] {
    try {
      throw std::runtime_error("thrown");
    } catch (const std::exception &error) {
      caught = error.what();
    }
  }).join();
  std::cout << caught << '\n';
}
