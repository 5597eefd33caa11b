// Runs a fuzz target over files and folders of files, for builds without libFuzzer: NAME_fuzz PATH...
// A finding crashes, as it does under libFuzzer. No input at all is a failure: a corpus that went missing must
// show.

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

void replay(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) throw fs::filesystem_error("cannot read", path, std::make_error_code(std::errc::io_error));
  // exactly as large as the input, so that a read beyond its end is seen by the sanitizers
  const std::vector<std::uint8_t> input(content.begin(), content.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

int replay_all(int count, char** paths) {
  int inputs = 0;
  for (int i = 0; i < count; ++i) {
    if (!fs::is_directory(paths[i])) {
      replay(paths[i]);
      ++inputs;
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(paths[i])) {
      if (!entry.is_regular_file()) continue;
      replay(entry.path());
      ++inputs;
    }
  }
  std::printf("%d inputs replayed\n", inputs);
  return inputs > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return replay_all(argc - 1, argv + 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
