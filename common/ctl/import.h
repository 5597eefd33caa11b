#pragma once
// keepalived.conf → node.conf. What can be kept is written so that the two can take part in the same election while
// an operator migrates; what cannot is refused, all of it at once, with line and reason; what differs without harm
// is a note in the file that is written. Pure: text in, texts out.

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/expected.h"
#include "common/ctl/keepalived_file.h"

namespace vipair::ctl {

struct ImportOptions {
  std::string node;                    // this node's name; empty: router_id, and where that is no name, `host`
  std::string host = "node";           // the machine's name
  std::string folder = "/etc/vipair";  // where node.conf will be
};

// A file to go beside node.conf.
struct ImportedFile {
  std::string path;  // relative to the folder
  std::string content;
  mode_t mode = 0600;
  std::string what;  // in words
};

struct Imported {
  std::string node_conf;            // the notes are its comments
  std::vector<ImportedFile> files;  // passwords, the adapter to notify scripts
};

Expected<Imported, std::vector<Remark>> import_keepalived(const SourceText& source, const ReadIncluded& read,
                                                          const ImportOptions& options);

}  // namespace vipair::ctl
