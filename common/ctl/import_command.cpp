#include "common/ctl/import_command.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <ostream>

#include "common/ctl/import.h"
#include "common/ctl/new_file.h"
#include "common/ctl/render.h"
#include "common/runtime/config_file.h"
#include "common/runtime/unique_fd.h"

namespace vipair::ctl {
namespace {

namespace fs = std::filesystem;

Expected<SourceText, std::string> read_source(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return Unexpected{path + ": " + std::strerror(errno)};
  if (!S_ISREG(info.st_mode)) return Unexpected{path + " is not a file"};
  SourceText source{path, ""};
  std::array<char, 65536> buffer{};
  while (source.text.size() <= kKeepalivedSizeMax) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Unexpected{path + ": " + std::strerror(errno)};
    if (count == 0) return source;
    source.text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return Unexpected{path + " is larger than " + std::to_string(kKeepalivedSizeMax >> 20) + " MiB"};
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "node";
  const std::string whole = name.data();
  return whole.substr(0, whole.find('.'));
}

Expected<void, std::string> write_all(const Imported& imported, const fs::path& node_conf) {
  const fs::path folder = node_conf.parent_path();
  std::vector<ImportedFile> files = imported.files;
  files.push_back({node_conf.filename().string(), imported.node_conf, 0644, ""});
  std::error_code ignored;
  for (const ImportedFile& file : files)
    if (fs::exists(folder / file.path, ignored))
      return Unexpected{(folder / file.path).string() + " exists already, and is not overwritten"};
  for (const ImportedFile& file : files) {
    const fs::path path = folder / file.path;
    if (path.parent_path() != folder && ::mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST)
      return Unexpected{path.parent_path().string() + ": " + std::strerror(errno)};
    if (auto written = write_new_file(path.string(), file.content, file.mode); !written) return written;
  }
  return {};
}

}  // namespace

Expected<std::vector<SourceText>, std::string> read_included(const std::string& pattern,
                                                             const std::string& including_file) {
  const fs::path whole = fs::path(including_file).parent_path() / pattern;  // an absolute pattern stays alone
  glob_t found{};
  const int result = ::glob(whole.c_str(), GLOB_BRACE, nullptr, &found);
  std::vector<std::string> paths;
  for (std::size_t i = 0; result == 0 && i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  const bool has_wildcards = pattern.find_first_of("*?[{") != std::string::npos;
  if (paths.empty() && !has_wildcards) return Unexpected{"include: there is no file " + whole.string()};
  std::vector<SourceText> sources;
  for (const std::string& path : paths) {
    if (sources.size() > kKeepalivedFilesMax) break;  // refused by the parser
    if (has_wildcards && fs::is_directory(path)) continue;
    auto source = read_source(path);
    if (!source) return Unexpected{"include: " + source.error()};
    sources.push_back(*std::move(source));
  }
  return sources;
}

int run_import(const CommandLine& line, std::ostream& out, std::ostream& err) {
  const auto source = read_source(line.files.at(0));
  if (!source) {
    err << printable(source.error()) << "\n";
    return kExitFailed;
  }
  ImportOptions options;
  options.node = line.node;
  options.host = host_name();
  const bool writes = line.files.size() > 1;
  const fs::path node_conf = writes ? fs::absolute(line.files[1]) : fs::path();
  if (writes) options.folder = node_conf.parent_path().string();
  const auto imported = import_keepalived(*source, read_included, options);
  if (!imported) {
    for (const Remark& refused : imported.error()) err << printable(refused.to_string()) << "\n";
    err << "nothing is written: change these lines in a copy of the file and import that\n";
    return kExitConfig;
  }
  if (!writes) {
    out << imported->node_conf;
    for (const ImportedFile& file : imported->files)
      err << "it needs " << options.folder << "/" << file.path << ": " << file.what << "\n";
    if (!imported->files.empty()) err << "vipairctl import with a second file writes these too\n";
    return 0;
  }
  if (auto written = write_all(*imported, node_conf); !written) {
    err << printable(written.error()) << "\n";
    return kExitFailed;
  }
  for (const ImportedFile& file : imported->files) out << options.folder << "/" << file.path << "\n";
  out << node_conf.string() << "\n";
  return 0;
}

}  // namespace vipair::ctl
