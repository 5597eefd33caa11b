# What `cmake --install` puts where, for packages of any kind. Users, modes and the enabling of services are the
# package's business (packaging/rpm/vipair.spec). Folders of systemd and others do not depend on the library folder.

foreach(program IN ITEMS vipair-vrrpd vipair-proxyd vipairctl)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
  endif()
endforeach()

set(VIPAIR_SYSCONF ${CMAKE_INSTALL_FULL_SYSCONFDIR})  # /etc, also below /usr
install(FILES conf/node.conf conf/proxy.conf DESTINATION ${VIPAIR_SYSCONF}/vipair)
install(DIRECTORY conf/sites.d DESTINATION ${VIPAIR_SYSCONF}/vipair)
install(DIRECTORY DESTINATION ${VIPAIR_SYSCONF}/vipair/secrets)
install(DIRECTORY conf/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/logrotate/vipair DESTINATION ${VIPAIR_SYSCONF}/logrotate.d)

install(FILES packaging/systemd/vipair-vrrpd.service packaging/systemd/vipair-proxyd.service
        DESTINATION lib/systemd/system)
install(FILES packaging/systemd/85-vipair.preset DESTINATION lib/systemd/system-preset)
install(FILES packaging/systemd/vipair.sysusers DESTINATION lib/sysusers.d RENAME vipair.conf)
install(FILES packaging/systemd/vipair.tmpfiles DESTINATION lib/tmpfiles.d RENAME vipair.conf)
install(FILES packaging/firewalld/vipair-vrrpd.xml packaging/firewalld/vipair-proxyd.xml
        DESTINATION lib/firewalld/services)
install(FILES packaging/networkmanager/85-vipair.conf DESTINATION lib/NetworkManager/conf.d)
install(FILES packaging/completion/vipairctl DESTINATION share/bash-completion/completions)

foreach(section IN ITEMS 5 8)
  file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/packaging/man/*.${section})
  install(FILES ${pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
if(EXISTS ${CMAKE_SOURCE_DIR}/packaging/failover-test/vipair-failover-test)
  install(PROGRAMS packaging/failover-test/vipair-failover-test DESTINATION ${CMAKE_INSTALL_SBINDIR})
endif()
